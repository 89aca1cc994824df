// SPDX-License-Identifier: MIT
#include "http/response.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::string_view_literals;
using http::head_writer;
using http::status;

TEST(HeadWriter, WritesAHead)
{
    std::array<char, 200> buffer{};
    head_writer head(buffer);
    head.status_line(status::ok)
        .field("Content-Type", "text/html; charset=utf-8")
        .field("Content-Length", 18446744073709551615ULL)
        .field("X", "")
        .date(std::chrono::sys_seconds{});
    const auto bytes = head.finish();
    ASSERT_TRUE(bytes);
    EXPECT_EQ(std::string_view(buffer.data(), *bytes),
              "HTTP/1.1 200 OK\r\n"
              "Content-Type: text/html; charset=utf-8\r\n"
              "Content-Length: 18446744073709551615\r\n"
              "X: \r\n"
              "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n");
}

// RFC 9112 section 4: the space after the code is required even without a phrase.
TEST(HeadWriter, UnregisteredCodesHaveNoPhrase)
{
    std::array<char, 40> buffer{};
    const auto bytes = head_writer(buffer).status_line(static_cast<status>(299)).finish();
    EXPECT_EQ(std::string_view(buffer.data(), bytes.value()), "HTTP/1.1 299 \r\n\r\n");
}

TEST(HeadWriter, NeverWritesBeyondItsRoom)
{
    const std::string_view whole = "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n";
    for (std::size_t room = 0; room <= whole.size(); ++room) {
        std::vector<char> buffer(room);  // of exactly this size, so that a sanitizer detects an overrun
        const auto bytes = head_writer(buffer).status_line(status::not_found).field("A", "b").finish();
        ASSERT_EQ(bytes.has_value(), room == whole.size()) << room;
        if (!bytes) EXPECT_EQ(bytes.error().code, status::internal_server_error);
    }
}

TEST(HeadWriter, AResponseCannotBeSplit)
{
    struct field {
        std::string_view name, value;
    };
    for (const field& f :
         {field{"A", "b\r\nSet-Cookie: c"}, field{"A", "b\r"}, field{"A", "b\n"}, field{"A", "\0"sv},
          field{"A", "\x7f"}, field{"A\r\nB", "c"}, field{"A: b", "c"}, field{"", "c"}, field{"A ", "c"}}) {
        std::array<char, 100> buffer{};
        head_writer head(buffer);
        head.status_line(status::ok).field(f.name, f.value);
        EXPECT_EQ(head.finish().error().code, status::internal_server_error) << testing::PrintToString(f.value);
        EXPECT_EQ(std::string_view(buffer.data()), "HTTP/1.1 200 OK\r\n\r\n");
    }
}

TEST(HeadWriter, TabsAndObsTextMayStand)
{
    std::array<char, 100> buffer{};
    EXPECT_TRUE(head_writer(buffer).status_line(status::ok).field("A", "b\t\xE4").finish());
}

}  // namespace
