// SPDX-License-Identifier: MIT
#include "server/respond/response_writer.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "csp/alt.hpp"
#include "csp/par.hpp"
#include "csp/timer.hpp"
#include "http/chunked.hpp"
#include "io/readiness.hpp"
#include "io/test_engines.hpp"
#include "io/test_refusals.hpp"
#include "server/front_end/understand.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using io::test::soon;

const std::string get_1_1 = "GET /x HTTP/1.1\r\nHost: test\r\n\r\n";
const std::string get_1_0 = "GET /x HTTP/1.0\r\nHost: test\r\n\r\n";
const std::string get_1_0_to_keep = "GET /x HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n";
const std::string head_1_1 = "HEAD /x HTTP/1.1\r\nHost: test\r\n\r\n";
const std::string head_1_0_to_keep = "HEAD /x HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n";

constexpr patience patient{.stall = std::chrono::minutes(1), .least_rate = 1};

/// An exchange as the front end makes it, with a writer and the other end of its connection.
struct test_exchange {
    exchange x;
    std::unique_ptr<io::socket> client;  // null: closed
    std::unique_ptr<head_cache> heads = std::make_unique<head_cache>();
    std::unique_ptr<response_writer> writer = {};

    [[nodiscard]] const http1_carrier& carrier() const { return *x->carrier.http1(); }
};

csp::step<test_exchange> asked(std::string_view request, patience limits = patient)
{
    auto pair = co_await io::test::tcp_pair();
    auto c = std::make_unique<connection>(std::move(pair.server));
    test::receive(*c, test::arrived(io::engine::here(), request));
    c->by = test::default_policy();
    const auto head = std::make_unique<http::request_head>();
    test_exchange e{.x = understand(std::move(c), *head), .client = std::make_unique<io::socket>()};
    *e.client = std::move(pair.client);
    e.writer = std::make_unique<response_writer>(*e.x, limits, *e.heads);
    co_return e;
}

response ok() { return {http::status::ok, {}}; }

/// Reads as many bytes as are expected.
csp::step<void> expect_next(io::socket& from, std::string_view text)
{
    std::string got;
    while (got.size() < text.size()) {
        std::string piece(text.size() - got.size(), '\0');
        const auto n = co_await io::recv(from, piece, soon());
        if (n.value_or(0) == 0) break;
        got.append(piece, 0, *n);
    }
    EXPECT_EQ(got, text);
}

/// The next head, without its Date, which has to follow Server.
csp::step<std::string> next_head(io::socket& from)
{
    std::string head;
    for (char c = 0; !head.ends_with("\r\n\r\n"); head += c) {
        const auto n = co_await io::recv(from, {&c, 1}, soon());
        if (n.value_or(0) == 0) co_return head + "|end";
    }
    const std::size_t date = head.find("Date: ");
    if (date != std::string::npos) head.erase(date, head.find("\r\n", date) + 2 - date);
    co_return head;
}

/// Closes our end, and expects the client to have received nothing more.
csp::step<void> expect_no_more(test_exchange& e)
{
    (void)e.x->carrier.take_connection();
    EXPECT_EQ(co_await io::test::get(*e.client), "end");
}

const std::string start_of_ok = "HTTP/1.1 200 OK\r\nServer: occwserv\r\n";

// ---- how a response is framed

csp::process of_known_length()
{
    test_exchange e = co_await asked(get_1_1);
    response head = ok();
    head.fields.add("X-Made", "here");
    EXPECT_TRUE(co_await e.writer->begin(std::move(head), 10, "012"));
    EXPECT_EQ(co_await next_head(*e.client), start_of_ok + "X-Made: here\r\nContent-Length: 10\r\n\r\n");
    co_await expect_next(*e.client, "012");
    EXPECT_TRUE(co_await e.writer->write("3456"));
    co_await expect_next(*e.client, "3456");
    EXPECT_FALSE(e.x->sent.complete);
    EXPECT_TRUE(co_await e.writer->end("789"));
    co_await expect_next(*e.client, "789");
    EXPECT_TRUE(e.x->sent.complete);
    EXPECT_EQ(e.x->sent.content_bytes, 10U);
    EXPECT_EQ(e.x->sent.code, http::status::ok);
    EXPECT_TRUE(e.carrier().persists());
    co_await expect_no_more(e);
}

csp::process of_unknown_length()
{
    test_exchange e = co_await asked(get_1_1);
    EXPECT_TRUE(co_await e.writer->begin(ok(), std::nullopt));
    EXPECT_EQ(co_await next_head(*e.client), start_of_ok + "Transfer-Encoding: chunked\r\n\r\n");
    EXPECT_TRUE(co_await e.writer->write("seventeen letters"));
    co_await expect_next(*e.client, "11\r\nseventeen letters\r\n");
    EXPECT_TRUE(co_await e.writer->write("")) << "an empty chunk would be the end";
    EXPECT_TRUE(co_await e.writer->end());
    co_await expect_next(*e.client, "0\r\n\r\n");
    EXPECT_TRUE(e.x->sent.complete);
    EXPECT_EQ(e.x->sent.content_bytes, 17U);
    EXPECT_TRUE(e.carrier().persists());
    co_await expect_no_more(e);
}

csp::process with_first_and_last_piece(std::size_t field_bytes)
{
    test_exchange e = co_await asked("GET /x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    response head = ok();
    const std::string value(field_bytes, 'x');
    head.fields.add("X-Long", value);
    EXPECT_TRUE(co_await e.writer->begin(std::move(head), std::nullopt, "first"));
    EXPECT_EQ(co_await next_head(*e.client),
              start_of_ok + "Connection: close\r\nX-Long: " + value + "\r\nTransfer-Encoding: chunked\r\n\r\n");
    co_await expect_next(*e.client, "5\r\nfirst\r\n");
    EXPECT_TRUE(co_await e.writer->end("last"));
    co_await expect_next(*e.client, "4\r\nlast\r\n0\r\n\r\n");
    EXPECT_EQ(e.x->sent.content_bytes, 9U);
    co_await expect_no_more(e);
}

csp::process for_http_1_0(std::string request)
{
    test_exchange e = co_await asked(request);
    EXPECT_TRUE(co_await e.writer->begin(ok(), std::nullopt, "fir"));
    EXPECT_EQ(co_await next_head(*e.client), start_of_ok + "Connection: close\r\n\r\n");
    EXPECT_TRUE(co_await e.writer->write("st"));
    EXPECT_TRUE(co_await e.writer->end("last"));
    co_await expect_next(*e.client, "firstlast");
    EXPECT_TRUE(e.x->sent.complete);
    EXPECT_FALSE(e.carrier().persists()) << "the content ends with the connection";
    co_await expect_no_more(e);
}

csp::process for_http_1_0_with_length()
{
    test_exchange e = co_await asked(get_1_0_to_keep);
    EXPECT_TRUE(co_await e.writer->begin(ok(), 4));
    EXPECT_EQ(co_await next_head(*e.client), start_of_ok + "Connection: keep-alive\r\nContent-Length: 4\r\n\r\n");
    EXPECT_TRUE(co_await e.writer->end("last"));
    co_await expect_next(*e.client, "last");
    EXPECT_TRUE(e.carrier().persists());
}

csp::process without_content(std::string request, http::status code, std::optional<std::uint64_t> length,
                             std::string rest_of_head)
{
    test_exchange e = co_await asked(request);
    EXPECT_TRUE(co_await e.writer->begin({code, {}}, length, "first"));
    const std::string head = co_await next_head(*e.client);
    EXPECT_TRUE(head.ends_with("Server: occwserv\r\n" + rest_of_head + "\r\n")) << head;
    EXPECT_TRUE(co_await e.writer->write("more"));
    EXPECT_TRUE(co_await e.writer->end("last"));
    EXPECT_TRUE(e.x->sent.complete);
    EXPECT_EQ(e.x->sent.content_bytes, 0U);
    EXPECT_TRUE(e.carrier().persists());
    co_await expect_no_more(e);
}

csp::process with_its_id()
{
    test_exchange e = co_await asked(get_1_1);
    const std::string id = to_string(e.x->carrier.id());
    EXPECT_TRUE(co_await e.writer->begin({http::status::bad_gateway, {}}, 0));
    const std::string head = co_await next_head(*e.client);
    EXPECT_TRUE(head.ends_with("X-Request-Id: " + id + "\r\nContent-Length: 0\r\n\r\n")) << head;
    EXPECT_TRUE(co_await e.writer->end());
    EXPECT_EQ(e.x->sent.code, http::status::bad_gateway);
}

csp::process longer_than_announced()
{
    test_exchange e = co_await asked(get_1_1);
    EXPECT_TRUE(co_await e.writer->begin(ok(), 4));
    (void)co_await next_head(*e.client);
    EXPECT_TRUE(co_await e.writer->write("123456"));
    EXPECT_TRUE(co_await e.writer->write("78"));
    EXPECT_TRUE(co_await e.writer->end("9"));
    EXPECT_TRUE(e.x->sent.complete);
    EXPECT_EQ(e.x->sent.content_bytes, 4U);
    co_await expect_next(*e.client, "1234");
    co_await expect_no_more(e);
}

csp::process shorter_than_announced()
{
    test_exchange e = co_await asked(get_1_1);
    EXPECT_TRUE(co_await e.writer->begin(ok(), 4, "123"));
    EXPECT_FALSE(co_await e.writer->end());
    EXPECT_FALSE(e.x->sent.complete);
    EXPECT_EQ(e.x->sent.content_bytes, 3U);
}

csp::process as_it_is()
{
    test_exchange e = co_await asked(get_1_1);
    EXPECT_TRUE(co_await e.writer->raw("HTTP/1.1 404 Gone fishing\r\nX: y\r\n\r\nbody"));
    EXPECT_TRUE(co_await e.writer->write("more"));
    co_await expect_next(*e.client, "HTTP/1.1 404 Gone fishing\r\nX: y\r\n\r\nbodymore");
    EXPECT_TRUE(co_await e.writer->end());
    EXPECT_EQ(e.x->sent.code, http::status::not_found);
    EXPECT_TRUE(e.x->sent.complete);
    EXPECT_FALSE(e.carrier().persists());
    co_await expect_no_more(e);
}

// ---- clients that do not take it

csp::process to_a_client_that_leaves()
{
    test_exchange e = co_await asked(get_1_1);
    EXPECT_TRUE(co_await e.writer->begin(ok(), std::nullopt, "x"));
    EXPECT_FALSE(e.writer->client_has_left());
    io::test::reset_on_close(*e.client);
    e.client.reset();
    while (!e.writer->client_has_left()) co_await csp::sleep(std::chrono::milliseconds(1));
    while (co_await e.writer->write("y")) co_await csp::sleep(std::chrono::milliseconds(1));
    EXPECT_FALSE(co_await e.writer->write("z")) << "once and for all";
    EXPECT_FALSE(co_await e.writer->end());
    EXPECT_FALSE(e.x->sent.complete);
    EXPECT_GE(e.x->sent.content_bytes, 1U);
}

csp::process to_a_client_that_reads_nothing()
{
    test_exchange e = co_await asked(get_1_1, {.stall = std::chrono::milliseconds(20), .least_rate = 1});
    const std::string piece(1024 * 1024, 'x');
    EXPECT_TRUE(co_await e.writer->begin(ok(), std::nullopt));
    std::uint64_t whole = 0;
    while (co_await e.writer->write(piece)) whole += piece.size();
    EXPECT_FALSE(e.x->sent.complete);
    EXPECT_GT(e.x->sent.content_bytes, whole) << "a part of the last piece was sent";
    EXPECT_LT(e.x->sent.content_bytes, whole + piece.size());
}

// ---- from a pipe

std::string content_of(std::size_t bytes)
{
    std::string made(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) made[i] = static_cast<char>('a' + (i * 7 + i / 4096) % 26);
    return made;
}

/// What a chunked body contains; what is wrong with it otherwise.
std::string decoded(std::string_view body)
{
    std::string content;
    http::chunked_decoder chunks;
    while (!body.empty()) {
        const auto piece = chunks.feed(body, {.body_bytes = 1 << 30});
        if (!piece) return std::string(piece.error().text);
        content.append(piece->data.begin(), piece->data.end());
        body.remove_prefix(piece->consumed);
        if (piece->done) return body.empty() ? content : "more after the end";
    }
    return "no end";
}

/// Reads until the server closes, and compares the content.
csp::process reader_of(io::socket from, std::string content)
{
    const std::string head = co_await next_head(from);
    const std::string body = co_await io::test::get_all(from);
    EXPECT_TRUE((head.contains("chunked") ? decoded(body) : body) == content) << head;
}

csp::process program(io::descriptor output, std::string content, std::size_t piece)
{
    // Non-blocking, because it shares the thread with the server's side.
    io::socket to = [&] {
        ::fcntl(output.number(), F_SETFL, O_NONBLOCK);
        return io::socket(std::move(output));
    }();
    to.at().is_pipe = true;
    for (std::string_view left = content; !left.empty(); left.remove_prefix(std::min(piece, left.size()))) {
        const auto sent = co_await io::send_all(to, left.substr(0, piece), soon());
        EXPECT_TRUE(sent.has_value());
    }
}

enum class length : std::uint8_t { known, unknown };

csp::process relay_of_a_pipe(test_exchange e, io::socket pipe, std::size_t bytes, length l)
{
    EXPECT_TRUE(co_await e.writer->begin(ok(), l == length::known ? std::optional(bytes) : std::nullopt));
    std::size_t moved = 0;
    io::readable output(pipe);
    for (bool is_at_end = false; !is_at_end;) {
        (void)co_await csp::pri_alt(output);
        const auto now = co_await e.writer->splice(pipe, 1024 * 1024);
        EXPECT_TRUE(now.has_value());
        if (!now) break;
        moved += now->bytes;
        is_at_end = now->is_at_end;
    }
    EXPECT_EQ(moved, bytes);
    EXPECT_TRUE(co_await e.writer->end());
    EXPECT_EQ(e.x->sent.content_bytes, bytes);
    EXPECT_TRUE(e.x->sent.complete);
}

csp::process from_a_program(std::string request, length l, std::size_t bytes, std::size_t piece)
{
    test_exchange e = co_await asked(request);
    io::socket client = std::move(*e.client);
    auto pipe = io::pipe_from_child();
    co_await csp::par(relay_of_a_pipe(std::move(e), std::move(pipe->ours), bytes, l),
                      program(std::move(pipe->childs), content_of(bytes), piece),
                      reader_of(std::move(client), content_of(bytes)));
}

csp::process from_pipes_of_all_kinds()
{
    for (const std::size_t piece : {100UL, 3000UL, 65536UL}) {
        co_await csp::par(from_a_program(get_1_1, length::unknown, 500'000, piece));
    }
    co_await csp::par(from_a_program(get_1_1, length::known, 500'000, 65536));
    co_await csp::par(from_a_program(get_1_0, length::unknown, 500'000, 65536));
    co_await csp::par(from_a_program(get_1_1, length::unknown, 0, 1));
}

csp::step<void> put(const io::descriptor& pipe, std::size_t bytes)
{
    const std::string content = content_of(bytes);
    EXPECT_EQ(::write(pipe.number(), content.data(), bytes), static_cast<ssize_t>(bytes));
    co_return;
}

csp::process from_a_pipe_with_nothing()
{
    test_exchange e = co_await asked(get_1_1);
    auto pipe = io::pipe_from_child();
    EXPECT_TRUE(co_await e.writer->begin(ok(), std::nullopt));
    io::readable output(pipe->ours);
    const auto nothing = co_await e.writer->splice(pipe->ours, 10);
    EXPECT_TRUE(nothing && nothing->bytes == 0 && !nothing->is_at_end) << "it does not wait";
    co_await put(pipe->childs, 60'000);
    for (std::size_t all = 0; all < 60'000;) {
        (void)co_await csp::pri_alt(output);
        const auto some = co_await e.writer->splice(pipe->ours, 25'000);
        EXPECT_TRUE(some && some->bytes > 0 && some->bytes <= 25'000) << "no more than it may";
        if (!some || some->bytes == 0) break;
        all += some->bytes;
    }
    const auto no_more = co_await e.writer->splice(pipe->ours, 10);
    EXPECT_TRUE(no_more && no_more->bytes == 0 && !no_more->is_at_end);
    pipe->childs = {};
    (void)co_await csp::pri_alt(output);
    const auto end = co_await e.writer->splice(pipe->ours, 10);
    EXPECT_TRUE(end && end->bytes == 0 && end->is_at_end);
}

csp::process more_in_the_pipe_than_announced()
{
    test_exchange e = co_await asked(get_1_1);
    auto pipe = io::pipe_from_child();
    EXPECT_TRUE(co_await e.writer->begin(ok(), 50'000));
    co_await put(pipe->childs, 60'000);
    for (std::size_t all = 0; all < 60'000;) all += (co_await e.writer->splice(pipe->ours, 1'000'000))->bytes;
    EXPECT_TRUE(co_await e.writer->end());
    EXPECT_EQ(e.x->sent.content_bytes, 50'000U);
    (void)co_await next_head(*e.client);
    co_await expect_next(*e.client, content_of(50'000));
    co_await expect_no_more(e);
}

csp::process discarded_for_head()
{
    test_exchange e = co_await asked(head_1_1);
    auto pipe = io::pipe_from_child();
    EXPECT_TRUE(co_await e.writer->begin(ok(), std::nullopt));
    co_await put(pipe->childs, 60'000);
    for (std::size_t all = 0; all < 60'000;) all += (co_await e.writer->splice(pipe->ours, 1'000'000))->bytes;
    EXPECT_TRUE(co_await e.writer->end());
    (void)co_await next_head(*e.client);
    co_await expect_no_more(e);
}

/// To a client that reads the first bytes only.
csp::process where_splice_fails()
{
    test_exchange e = co_await asked(get_1_1);
    auto pipe = io::pipe_from_child();
    EXPECT_TRUE(co_await e.writer->begin(ok(), std::nullopt));
    co_await put(pipe->childs, 60'000);
    EXPECT_TRUE((co_await e.writer->splice(pipe->ours, 1'000'000)).has_value());
    EXPECT_FALSE((co_await e.writer->splice(pipe->ours, 1'000'000)).has_value());
    EXPECT_FALSE(co_await e.writer->end());
    EXPECT_FALSE(e.x->sent.complete);
}

class ResponseWriter : public io::test::on_engine {};

TEST_P(ResponseWriter, TellsAKnownLength) { run(of_known_length()); }
TEST_P(ResponseWriter, SendsChunksAsTheyCome) { run(of_unknown_length()); }
TEST_P(ResponseWriter, SendsTheFirstPieceWithTheHeadAndTheLastWithTheEnd)
{
    run(with_first_and_last_piece(1));
    run(with_first_and_last_piece(2000));  // beyond the room of a head_cache
}
TEST_P(ResponseWriter, ClosesForHttp10IfTheLengthIsUnknown)
{
    run(for_http_1_0(get_1_0));
    run(for_http_1_0(get_1_0_to_keep));
    run(for_http_1_0_with_length());
}
TEST_P(ResponseWriter, SendsNoContentWhereThereIsNone)
{
    using enum http::status;
    run(without_content(head_1_1, ok, 100, "Content-Length: 100\r\n"));
    run(without_content(head_1_1, ok, std::nullopt, ""));
    run(without_content(head_1_0_to_keep, ok, std::nullopt, "Connection: keep-alive\r\n"));
    run(without_content(get_1_1, no_content, std::nullopt, ""));
    run(without_content(get_1_1, no_content, 9, ""));
    run(without_content(get_1_1, not_modified, std::nullopt, ""));
    run(without_content(get_1_1, reset_content, 9, "Content-Length: 0\r\n"));
}
TEST_P(ResponseWriter, TellsErrorsTheRequestsId) { run(with_its_id()); }
TEST_P(ResponseWriter, HoldsToTheLength)
{
    run(longer_than_announced());
    run(shorter_than_announced());
}
TEST_P(ResponseWriter, SendsAWholeResponseAsItIs) { run(as_it_is()); }
TEST_P(ResponseWriter, StopsWhenTheClientHasLeft) { run(to_a_client_that_leaves()); }
TEST_P(ResponseWriter, StopsWhenTheClientReadsNothing) { run(to_a_client_that_reads_nothing()); }

TEST_P(ResponseWriter, RelaysAPipe)
{
    run(from_pipes_of_all_kinds());
    run(from_a_pipe_with_nothing());
    run(more_in_the_pipe_than_announced());
    run(discarded_for_head());
}
TEST_P(ResponseWriter, RelaysAPipeWhereSpliceIsRefused)
{
    EXPECT_EXIT(
        {
            io::test::refuse({.number = SYS_splice}, EINVAL);
            run(from_pipes_of_all_kinds());
            run(more_in_the_pipe_than_announced());
            io::test::end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}
TEST_P(ResponseWriter, SplicesALongOutput)
{
    EXPECT_EXIT(
        {
            io::test::refuse({.number = SYS_splice}, EIO);
            run(where_splice_fails());
            io::test::end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

ON_BOTH_ENGINES(ResponseWriter);

}  // namespace
}  // namespace server
