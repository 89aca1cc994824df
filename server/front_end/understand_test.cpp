// SPDX-License-Identifier: MIT
#include "server/front_end/understand.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "server/testing/test_support.hpp"

namespace server {
namespace {

using http::method;
using http::status;
using idle = connection::idle;
using skipping_body = connection::skipping_body;
using lingering = connection::lingering;
using over = connection::over;

struct understood {
    std::string_view sent;
    std::optional<status> refused;
    bool persists;
    connection::phase afterwards;  // of the connection when the answer has been sent
    std::string_view path = "/";
    std::string_view query = "";
};

// The numbers are sections of RFC 9110 or 9112.
const std::vector<understood> table = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, true, idle()},
    {"GET /a/../b%20c?x=%20 HTTP/1.1\r\nHost: a\r\n\r\n", {}, true, idle(), "/b c", "x=%20"},
    {"GET http://a/b HTTP/1.1\r\nHost: c\r\n\r\n", {}, true, idle(), "/b"},                      // 9112 3.2.2
    {"GET HTTPS://a/b HTTP/1.1\r\nHost: a\r\n\r\n", status::misdirected_request, true, idle()},  // 9110 7.4
    {"GET / HTTP/1.0\r\n\r\n", {}, false, over()},                                               // 9112 9.3
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {}, true, idle()},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", {}, false, over()},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {}, true, idle()},  // 9110 9.3.7
    // Input after the last request must be read, or the response may be lost (9112 9.6).
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET", {}, false, lingering()},
    // Bodies are discarded (9112 9.3).
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", {}, true, skipping_body()},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", status::method_not_allowed, true, skipping_body()},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", status::method_not_allowed, true,
     skipping_body()},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", status::method_not_allowed, true, idle()},
    // A client that waits for 100 may or may not send the body after another response (9110 10.1.1).
    {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", status::method_not_allowed,
     false, lingering()},
    // After an unknown method it is unknown what follows the head.
    {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", status::not_implemented, false, lingering()},
    {"BREW / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", status::not_implemented, false, lingering()},
    // A client may send tunnel data before it learns that the tunnel is refused.
    {"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", status::method_not_allowed, false, lingering()},
    {"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\n\r\n", status::method_not_allowed, false, lingering()},
    {"GET /.git/config HTTP/1.1\r\nHost: a\r\n\r\n", status::forbidden, true, idle()},
    {"GET /.well-known/x HTTP/1.1\r\nHost: a\r\n\r\n", {}, true, idle(), "/.well-known/x"},
    {"GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n", status::bad_request, true, idle()},
    {"GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", {}, true, idle(), std::string_view("/a\0b", 4)},
    // After an invalid head it is unknown where the next request begins.
    {"GET / HTTP/1.1\r\n\r\n", status::bad_request, false, lingering()},
    {"GET / HTTP/1.1\nHost: a\n\n", status::bad_request, false, lingering()},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", status::http_version_not_supported, false, lingering()},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", status::content_too_large, false, lingering()},
};

std::optional<status> refused_with(const exchange_record& x)
{
    const auto* const refused = std::get_if<error_response>(&x.decided);
    return refused ? std::optional(refused->why.code) : std::nullopt;
}

/// Makes it what parking forwards if a head has not arrived in time.
void refuse_late(test::engine_kernel& kernel, connection& c)
{
    c.now = connection::has_request{.head = std::unexpected(http::error{status::request_timeout, "late"})};
    c.by = kernel.policy();
}

TEST(Understand, Heads)
{
    test::engine_kernel kernel(1);
    http::request_head head;
    for (const understood& row : table) {
        const exchange x = understand(kernel.connection_with(row.sent), head);
        http1_carrier& carrier = *x->carrier.http1();
        EXPECT_EQ(refused_with(*x), row.refused) << row.sent;
        EXPECT_EQ(carrier.persists(), row.persists) << row.sent;
        carrier.enter_next_phase(*carrier.connection);
        EXPECT_EQ(carrier.connection->now.index(), row.afterwards.index()) << row.sent;
        if (row.refused) continue;
        EXPECT_EQ(x->asked.path.view(), row.path) << row.sent;
        EXPECT_EQ(x->asked.query, row.query) << row.sent;
    }
}

TEST(Understand, KeepsForTheLogWhatWasAsked)
{
    test::engine_kernel kernel(1);
    http::request_head head;
    const exchange x =
        understand(kernel.connection_with("GET /x HTTP/1.1\r\nHost: a\r\nReferer: r\r\nUser-Agent: u\r\n\r\n"), head);
    EXPECT_EQ(x->asked.line, "GET /x HTTP/1.1");
    EXPECT_EQ(x->asked.referer, "r");
    EXPECT_EQ(x->asked.user_agent, "u");
    EXPECT_EQ(x->asked.authority, "a");
}

TEST(Understand, KnowsInWhatFormARefusalIsWanted)
{
    test::engine_kernel kernel(1);
    http::request_head head;
    for (const std::string line : {"GET /.x", "GET /%00", "PUT /", "BREW /", "GET https://a/"}) {
        const exchange x =
            understand(kernel.connection_with(line + " HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n"), head);
        EXPECT_TRUE(x->is<error_response>()) << line;
        EXPECT_EQ(x->asked.accept, "application/json") << line;
    }
}

TEST(Understand, KnowsItOfAHeadThatIsRefusedToo)
{
    test::engine_kernel kernel(1);
    http::request_head head;
    for (const std::string line : {"GET / HTTP/2.0", "GET / / HTTP/1.1", "GET / HTTP/1.1\r\nExpect: x", "NONE"}) {
        const exchange x =
            understand(kernel.connection_with(line + "\r\nAccept: a\r\nAccept: b\r\n:\r\nAccept: c\r\n\r\n"), head);
        EXPECT_TRUE(x->is<error_response>()) << line;
        EXPECT_EQ(x->asked.accept, "a, b") << line;
    }
    conn late = kernel.connection_with("GET /x HTTP/1.1\r\nAccept: a\r\nAccept: b");
    refuse_late(kernel, *late);
    const exchange x = understand(std::move(late), head);
    EXPECT_EQ(refused_with(*x), status::request_timeout);
    EXPECT_EQ(x->asked.accept, "a");
    EXPECT_EQ(x->asked.line, "GET /x HTTP/1.1");
}

TEST(Understand, ARefusedHeadIsStillHead)
{
    test::engine_kernel kernel(1);
    http::request_head head;
    const std::vector<std::string_view> refused = {
        "HEAD / HTTP/1.1\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: a\r\nExpect: b\r\n\r\n",
        "\r\nHEAD  / HTTP/1.1\r\n\r\n",
    };
    for (const std::string_view sent : refused)
        EXPECT_EQ(understand(kernel.connection_with(sent), head)->asked.method, method::head) << sent;
    EXPECT_EQ(understand(kernel.connection_with("HEADS / HTTP/1.1\r\n\r\n"), head)->asked.method, method::other);
    conn late = kernel.connection_with("HEAD / HT");
    refuse_late(kernel, *late);
    EXPECT_EQ(understand(std::move(late), head)->asked.method, method::head);
}

TEST(Understand, ARefusalByParkingStands)
{
    test::engine_kernel kernel(1);
    http::request_head head;
    conn late = kernel.connection_with("GET / HT");
    refuse_late(kernel, *late);
    const exchange x = understand(std::move(late), head);
    EXPECT_EQ(refused_with(*x), status::request_timeout);
    EXPECT_TRUE(std::get<http1_carrier::close>(x->carrier.http1()->then).lingers);
}

TEST(Understand, KnowsWhetherTheNextRequestIsHere)
{
    test::engine_kernel kernel(1);
    http::request_head head;
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const auto next_is_here = [&](const std::string& sent) {
        const exchange x = understand(kernel.connection_with(sent), head);
        return x->carrier.http1()->next_is_here();
    };
    EXPECT_FALSE(next_is_here(get));
    EXPECT_TRUE(next_is_here(get + get));
    EXPECT_TRUE(next_is_here(get + "\r\n" + get));
    EXPECT_TRUE(next_is_here(get + "GET nonsense\r\n\r\n")) << "it is refused at once";
    EXPECT_TRUE(next_is_here(get + '\0'));
    // The request may still be answered in an hour.
    for (std::size_t part = 1; part < get.size(); ++part) EXPECT_FALSE(next_is_here(get + get.substr(0, part)));
    EXPECT_FALSE(next_is_here(get + "\r\n"));
    // The request gets no response, or is invalid.
    EXPECT_FALSE(next_is_here("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get));
    EXPECT_FALSE(next_is_here("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + get));
    EXPECT_FALSE(next_is_here("GET / HTTP/1.1\r\n\r\n" + get)) << "refused, and so the last";
}

}  // namespace
}  // namespace server
