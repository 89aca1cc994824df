// SPDX-License-Identifier: MIT
#include "server/respond/request_body.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/par.hpp"
#include "csp/test_support.hpp"
#include "io/test_engines.hpp"
#include "server/back_end/back_end.hpp"
#include "server/front_end/parking.hpp"
#include "server/front_end/understand.hpp"
#include "server/respond/respond.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using io::test::in;
using io::test::put;
using io::test::soon;
using namespace std::chrono_literals;

// ---- the pace

constexpr patience of_ten_seconds{.stall = 10s, .least_rate = 100};

csp::process sends_every(csp::duration pause, int times, csp::out<int> pieces)
{
    for (int i = 0; i < times; ++i) {
        co_await csp::sleep(pause);
        co_await pieces.output(i);
    }
    co_await csp::sleep(std::chrono::hours(1));
}

/// Reads pieces of so many bytes, and pauses before each. Returns how many came before the client was too slow.
csp::step<int> pieces_in_time(csp::in<int>& pieces, std::uint64_t bytes, csp::duration reader_pauses)
{
    upload_pace pace(of_ten_seconds);
    csp::in<stop> nobody;
    int got = 0;
    for (;;) {
        co_await csp::sleep(reader_pauses);
        if (const auto failed = co_await pace.wait_for(pieces, nobody)) {
            EXPECT_EQ(failed, body_failure::too_slow);
            co_return got;
        }
        co_await pieces.input();
        pace.add_received(bytes);
        ++got;
    }
}

csp::process paced(std::uint64_t bytes, csp::duration reader_pauses, csp::in<int> pieces, int expected)
{
    EXPECT_EQ(co_await pieces_in_time(pieces, bytes, reader_pauses), expected);
}

void pace_is(csp::duration client_pauses, std::uint64_t bytes, csp::duration reader_pauses, int expected)
{
    csp::for_seeds(20, [&](std::uint64_t seed) {
        csp::test_kernel kernel(seed);
        csp::chan<int> pieces;
        kernel.start(sends_every(client_pauses, 50, pieces.tx()));
        kernel.start(paced(bytes, reader_pauses, pieces.rx(), expected));
        EXPECT_TRUE(kernel.run_for(std::chrono::hours(3)).empty());
    });
}

TEST(UploadPace, EndsAStall) { pace_is(11s, 1'000'000, 0s, 0); }
TEST(UploadPace, AllowsTheLeastRate) { pace_is(9s, 1000, 0s, 50); }
TEST(UploadPace, EndsWhatIsSlower) { pace_is(9s, 100, 0s, 1); }
TEST(UploadPace, DoesNotCountTheTimeOfTheReader) { pace_is(1s, 10, 60s, 50); }

// ---- bodies on a connection

/// An exchange whose body is still to come, and its client.
struct requested {
    exchange x;
    io::socket client;
};

struct rules {
    std::chrono::milliseconds stall{30'000};
    std::uint64_t body_bytes = 1024 * 1024;
};

/// `arrived` has come when the head was complete.
requested request(std::string_view arrived, rules with = {})
{
    policy p = test::policy_without_site();
    p.patience.stall = with.stall;
    p.limits.body_bytes = with.body_bytes;
    auto ends = io::socket_pair();
    auto c = std::make_unique<connection>(std::move(ends->first));
    test::receive(*c, test::arrived(io::engine::here(), arrived));
    c->by = frozen_policy(std::move(p));
    http::request_head head;
    return {understand(std::move(c), head), std::move(ends->second)};
}

std::string post(std::string_view fields, std::string_view path = "/")
{
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n\r\n";
}
std::string chunked(std::string_view more = "") { return post("Transfer-Encoding: chunked" + std::string(more)); }
std::string sized(std::size_t bytes, std::string_view more = "")
{
    return post("Content-Length: " + std::to_string(bytes) + std::string(more));
}
constexpr std::string_view expecting = "\r\nExpect: 100-continue";

/// At most so many bytes of the body; or why there are none.
csp::step<std::expected<std::string, body_failure>> read_up_to(request_body& b, std::size_t most, std::size_t at_once)
{
    std::string all;
    std::string room(at_once, '\0');
    while (all.size() < most) {
        const auto got = co_await b.read(std::span(room).first(std::min(at_once, most - all.size())));
        if (!got) co_return std::unexpected(got.error());
        if (*got == 0) break;
        all.append(room, 0, *got);
    }
    co_return all;
}
csp::step<std::expected<std::string, body_failure>> read_all(request_body& b)
{
    co_return co_await read_up_to(b, 1 << 20, 4096);
}

/// What the connection has received of the next request. The exchange is over.
csp::step<std::string> next_request(exchange_record& x)
{
    conn c = x.carrier.take_connection();
    x.carrier.enter_next_phase(*c);
    EXPECT_TRUE(c->is<connection::idle>());
    std::string text(c->input.text());
    std::string room(4096, '\0');
    if (const auto got = co_await io::recv(c->socket, room, csp::core::here().now())) text.append(room, 0, *got);
    co_return text;
}

constexpr std::string_view next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

csp::process split_everywhere(std::string head, std::string body)
{
    const std::string sent = head + body + std::string(next);
    for (std::size_t split = head.size(); split <= sent.size(); ++split) {
        for (const std::size_t at_once : {1U, 2U, 7U, 4096U}) {
            auto [x, client] = request(std::string_view(sent).substr(0, split));
            co_await put(client, std::string_view(sent).substr(split));
            EXPECT_TRUE(request_body::is_in(*x));
            auto b = request_body::take(*x);
            EXPECT_FALSE(request_body::is_in(*x));
            EXPECT_EQ(co_await read_up_to(*b, 1 << 20, at_once), "hello, world") << split << ' ' << at_once;
            EXPECT_TRUE(b->is_over());
            EXPECT_EQ(x->carrier.own_connection()->head(), head) << "it stays where it is";
            request_body::put_back(*x, std::move(*b));
            EXPECT_FALSE(request_body::is_in(*x));
            EXPECT_EQ(co_await next_request(*x), next) << split << ' ' << at_once;
        }
    }
}

class RequestBody : public io::test::on_engine {};
ON_BOTH_ENGINES(RequestBody);

TEST_P(RequestBody, IsReadHoweverItIsSplit)
{
    run(split_everywhere(sized(12), "hello, world"));
    run(split_everywhere(chunked(), "5;a=b\r\nhello\r\n7\r\n, world\r\n0\r\nX: y\r\n\r\n"));
}

csp::process announced()
{
    auto [x, client] = request(sized(5));
    EXPECT_EQ(request_body::length_of(*x), 5U);
    EXPECT_EQ(request_body::take(*x)->length(), 5U);
    auto [unknown, other_client] = request(chunked());
    EXPECT_EQ(request_body::length_of(*unknown), std::nullopt);
    auto [none, third_client] = request(next);
    EXPECT_FALSE(request_body::is_in(*none));
    EXPECT_EQ(request_body::length_of(*none), std::nullopt);
    co_return;
}
TEST_P(RequestBody, HasTheLengthThatWasAnnounced) { run(announced()); }

csp::process in_parts(std::string head, std::vector<std::string> parts)
{
    const std::string sent = head + parts.front();
    auto [x, client] = request(sent);
    for (std::size_t i = 1; i < parts.size(); ++i) co_await put(client, parts[i]);
    // A process after the other takes some of it.
    std::string all;
    for (int turn = 0; turn < 6; ++turn) {
        auto b = request_body::take(*x);
        all += (co_await read_up_to(*b, 2, 2)).value_or("failed");
        request_body::put_back(*x, std::move(*b));
    }
    EXPECT_EQ(all, "hello, world");
    auto b = request_body::take(*x);
    EXPECT_EQ(co_await read_all(*b), "");
    request_body::put_back(*x, std::move(*b));
    EXPECT_EQ(co_await next_request(*x), next);
}
TEST_P(RequestBody, IsTakenAgain)
{
    run(in_parts(chunked(), {"5\r\nhel", "lo\r\n7\r\n, world\r\n0\r\n", "\r\n" + std::string(next)}));
    run(in_parts(chunked(), {"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n" + std::string(next)}));
}

csp::process wrong(std::string sent, std::string later, body_failure expected, rules with)
{
    auto [x, client] = request(sent, with);
    co_await put(client, later);
    auto b = request_body::take(*x);
    EXPECT_EQ(co_await read_all(*b), std::unexpected(expected));
    EXPECT_EQ(co_await read_all(*b), std::unexpected(expected));
    request_body::put_back(*x, std::move(*b));
    conn c = x->carrier.take_connection();
    x->carrier.enter_next_phase(*c);
    EXPECT_TRUE(c->is<connection::lingering>());
}
TEST_P(RequestBody, FailsForGood)
{
    run(wrong(chunked() + "x", "", body_failure::malformed, {}));
    run(wrong(chunked() + "5\r\nhe", "llo!!", body_failure::malformed, {}));
    run(wrong(chunked() + "2\r\nhe\r\n9\r\nllo", "", body_failure::too_large, {.body_bytes = 10}));
    run(wrong(sized(10) + "hello", "", body_failure::too_slow, {.stall = 20ms}));
    run(wrong(chunked(), "", body_failure::too_slow, {.stall = 20ms}));
}

enum class departure : std::uint8_t { half, whole, reset };

csp::process client_leaves(departure how, std::string head)
{
    auto [x, client] = request(head);
    co_await put(client, "5\r\nhel");
    if (how == departure::reset) io::test::reset_on_close(client);
    if (how == departure::half) {
        EXPECT_TRUE(io::shutdown_write(client).has_value());
    } else {
        client = {};
    }
    auto b = request_body::take(*x);
    const auto got = co_await read_all(*b);
    EXPECT_TRUE(!got && got.error() == body_failure::client_left);
    request_body::put_back(*x, std::move(*b));
    EXPECT_FALSE(x->carrier.persists());
}
TEST_P(RequestBody, EndsWhenTheClientLeaves)
{
    for (const departure how : {departure::half, departure::whole, departure::reset}) {
        run(client_leaves(how, sized(10)));
        run(client_leaves(how, chunked()));
    }
}

csp::process reads_until(request_body b, csp::in<stop> until, csp::out<request_body> back)
{
    std::string room(100, '\0');
    const auto got = co_await b.read(room, until);
    EXPECT_TRUE(!got && got.error() == body_failure::cancelled);
    const auto again = co_await b.read(room, until);
    EXPECT_TRUE(!again && again.error() == body_failure::cancelled) << "also if there is something";
    co_await back.output(std::move(b));
}

csp::process cancels(exchange x, io::socket client, csp::out<stop> until, csp::in<request_body> back)
{
    co_await csp::sleep(5ms);
    {
        const auto closed = std::move(until);
    }
    co_await csp::sleep(1ms);
    co_await put(client, "hello" + std::string(next));
    auto b = co_await back.input();
    EXPECT_EQ(co_await read_all(*b), "hello");
    request_body::put_back(*x, std::move(*b));
    EXPECT_EQ(co_await next_request(*x), next);
}

csp::process one_cancels_the_other()
{
    auto [x, client] = request(sized(5));
    auto b = request_body::take(*x);
    csp::chan<stop> until;
    csp::chan<request_body> back;
    co_await csp::par(reads_until(std::move(*b), until.rx(), back.tx()),
                      cancels(std::move(x), std::move(client), until.tx(), back.rx()));
}
TEST_P(RequestBody, IsReadUntilCancelled) { run(one_cancels_the_other()); }

// ---- 100 Continue

csp::process continued(std::string head, std::string body)
{
    auto [x, client] = request(head);
    EXPECT_FALSE(x->carrier.persists());
    auto b = request_body::take(*x);
    EXPECT_EQ(co_await io::test::get(client, in(5ms)), "deadline passed") << "nobody has asked for the body";
    EXPECT_TRUE((co_await b->invite()).has_value());
    EXPECT_TRUE((co_await b->invite()).has_value());
    EXPECT_EQ(co_await io::test::get(client), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(co_await io::test::get(client, in(5ms)), "deadline passed") << "told once";
    co_await put(client, body + std::string(next));
    EXPECT_EQ(co_await read_all(*b), "hello");
    request_body::put_back(*x, std::move(*b));
    EXPECT_TRUE(x->carrier.persists());
    EXPECT_EQ(co_await next_request(*x), next);
}

csp::process not_continued(std::string head, std::string with, std::string later)
{
    const std::string sent = head + with;
    auto [x, client] = request(sent);
    co_await put(client, later);
    auto b = request_body::take(*x);
    EXPECT_EQ(co_await read_all(*b), "hello");
    request_body::put_back(*x, std::move(*b));
    EXPECT_TRUE(x->carrier.persists());
    EXPECT_EQ(co_await next_request(*x), next);
    EXPECT_EQ(co_await io::test::get(client), "end") << "nothing was sent";
}

csp::process put_back_unread(std::string head, std::string with)
{
    const std::string sent = head + with;
    auto [x, client] = request(sent);
    auto b = request_body::take(*x);
    request_body::put_back(*x, std::move(*b));
    EXPECT_FALSE(x->carrier.persists()) << "it is unknown whether the body follows";
    conn c = x->carrier.take_connection();
    x->carrier.enter_next_phase(*c);
    EXPECT_TRUE(c->is<connection::lingering>());
    co_return;
}

TEST_P(RequestBody, IsInvited)
{
    run(continued(sized(5, expecting), "hello"));
    run(continued(chunked(expecting), "5\r\nhello\r\n0\r\n\r\n"));
}
TEST_P(RequestBody, IsNotInvitedOnceItComes)
{
    const std::string body = "hello" + std::string(next);
    run(not_continued(sized(5, expecting), body, ""));
    run(not_continued(sized(5, expecting), "h", body.substr(1)));
    run(not_continued(sized(5, expecting), "", body));
}
TEST_P(RequestBody, IsNotExpectedIfNobodyReadsIt)
{
    run(put_back_unread(sized(5, expecting), ""));
    run(put_back_unread(chunked(expecting), "5\r\nhe"));
}

csp::process last_request(std::string fields)
{
    const std::string sent = sized(5, fields) + "hello";
    auto [x, client] = request(sent);
    auto b = request_body::take(*x);
    EXPECT_EQ(co_await read_all(*b), "hello");
    request_body::put_back(*x, std::move(*b));
    EXPECT_FALSE(x->carrier.persists());
}
TEST_P(RequestBody, DoesNotKeepAConnectionThatIsToClose)
{
    run(last_request("\r\nConnection: close"));
    run(last_request("\r\nConnection: close" + std::string(expecting)));
}

// ---- the next request on the connection, with parking and the back end

/// Answers with what it has read of the body, as the path says: /all, /some, /none, or /lost, which is not put back.
csp::process answerer(csp::in<conn> requests, csp::out<exchange> done)
{
    http::request_head head;
    head_cache heads;
    while (auto c = co_await requests.input()) {
        exchange x = understand(std::move(*c), head);
        const std::string path(head.target);
        std::string text = path + " had no body";
        if (path != "/untouched" && request_body::is_in(*x)) {
            auto b = request_body::take(*x);
            const std::size_t most = path == "/all" ? 1 << 20 : path == "/some" ? 3 : 0;
            const auto got = co_await read_up_to(*b, most, 4096);
            text = path + " got " + (got ? *got : "an error");
            if (path != "/lost") request_body::put_back(*x, std::move(*b));
        }
        response r(http::status::ok, {});
        r.fields.add("Content-Length", text.size());
        r.content.emplace_back(std::move(text));
        co_await respond(*x, std::move(r), x->by->patience, heads);
        co_await done.output(std::move(x));
    }
}

/// What the client sends, and what it then waits for.
struct act {
    std::string sends;
    std::string expects;
};
/// The client says all that and then half-closes.
struct dialogue {
    std::vector<act> acts;
    bool ends_early = false;  // the server closes the connection after the last response
};

csp::process speaks(io::socket server, dialogue said)
{
    std::string heard;
    for (const act& a : said.acts) {
        co_await put(server, a.sends);
        while (!heard.contains(a.expects)) {
            const std::string more = co_await io::test::get(server);
            EXPECT_NE(more, "end") << "after \"" << heard << "\" instead of " << a.expects;
            if (more == "end") co_return;
            heard += more;
        }
        heard.erase(0, heard.find(a.expects) + a.expects.size());
    }
    if (said.ends_early) {
        EXPECT_EQ(co_await io::test::get(server), "end");
    } else {
        EXPECT_EQ(co_await io::test::get(server, in(2ms)), "deadline passed");
        EXPECT_TRUE(io::shutdown_write(server).has_value());
    }
    EXPECT_EQ(co_await io::test::get_all(server), "");
}

csp::process connects(std::vector<conn> all, csp::shared_out<conn> arrivals)
{
    for (conn& c : all) co_await arrivals.output(std::move(c));
}

csp::process spoken(dialogue said)
{
    policy p = test::policy_without_site();
    p.patience.linger = 100ms;
    auto ends = io::socket_pair();
    std::vector<conn> one;
    one.push_back(std::make_unique<connection>(std::move(ends->first)));

    csp::chan<freezable_policy> policies;
    csp::chan<stop> stops;
    const auto never_stops = stops.shared_tx();
    csp::chan<conn> arrivals, returned, front;
    csp::chan<parking_question> questions;
    csp::chan<exchange> done;
    csp::chan<log_lines> lines;
    csp::chan<access_log> formats;
    csp::buffered_bridge<tally> limits(csp::core::here(), 8);
    csp::buffered_bridge<tally> hits(csp::core::here(), 8);
    co_await csp::par(
        connects(std::move(one), arrivals.shared_tx()),
        parking(std::move(p), policies.rx(), stops.rx(), arrivals.rx(), returned.rx(), questions.rx(), front.tx(),
                lines.shared_tx(), limits.tx()),
        answerer(front.rx(), done.tx()),
        back_end(access_log::off, formats.rx(), done.rx(), returned.shared_tx(), lines.shared_tx(), hits.tx()),
        test::sink(lines.rx()), test::sink(limits.rx()), test::sink(hits.rx()),
        speaks(std::move(ends->second), std::move(said)));
}

std::string to(std::string_view path, std::string_view fields = "Content-Length: 5") { return post(fields, path); }
const std::string get_next = std::string(next);
const std::string next_is_answered = "/next had no body";

class BodiesOnAConnection : public io::test::on_engine {};
ON_BOTH_ENGINES(BodiesOnAConnection);

TEST_P(BodiesOnAConnection, AreFollowedByTheNextRequest)
{
    for (const std::string path : {"/all", "/some", "/none", "/untouched"}) {
        const std::string answer = path + (path == "/all"    ? " got hello"
                                           : path == "/some" ? " got hel"
                                           : path == "/none" ? " got "
                                                             : " had");
        run(spoken({{{to(path) + "hello" + get_next, answer}, {"", next_is_answered}}}));
        run(spoken({{{to(path, "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n" + get_next, answer},
                     {"", next_is_answered}}}));
        // The head alone, the body, and the next request in one piece with its end; again on the same connection.
        std::vector<act> twice;
        for (int i = 0; i < 2; ++i) {
            twice.push_back({to(path, "Transfer-Encoding: chunked"), ""});
            twice.push_back({"5\r\nhel", ""});
            twice.push_back({"lo\r\n0\r\n\r\n" + get_next, answer});
            twice.push_back({"", next_is_answered});
        }
        run(spoken({twice}));
    }
}

TEST_P(BodiesOnAConnection, AreInvited)
{
    const std::string expects = "Content-Length: 5" + std::string(expecting);
    run(spoken({{{to("/all", expects), "HTTP/1.1 100 Continue\r\n\r\n"},
                 {"hello" + get_next, "/all got hello"},
                 {"", next_is_answered}}}));
    run(spoken({{{to("/some", expects), "HTTP/1.1 100 Continue\r\n\r\n"},
                 {"hello" + get_next, "/some got hel"},
                 {"", next_is_answered}}}));
    for (const std::string answer : {"/none got ", "/untouched had no body"}) {
        const std::string path = answer.substr(0, answer.find(' '));
        run(spoken({{{to(path, expects), "HTTP/1.1 200 OK\r\n"}, {"", "Connection: close\r\n"}, {"", answer}}, true}));
    }
}

TEST_P(BodiesOnAConnection, EndItIfTheyAreLostOrWrong)
{
    run(spoken({{{to("/lost") + "hello" + get_next, "/lost got "}}, true}));
    run(spoken({{{to("/all", "Transfer-Encoding: chunked") + "nonsense" + get_next, "/all got an error"}}, true}));
}

// ---- bodies of a stream

/// Stands for a session: lets the client of one stream send what is asked for.
csp::process session(std::string body, bool is_cut, csp::in<body_question> questions)
{
    while (auto asked = co_await questions.input()) {
        if (body.empty() && is_cut) continue;
        body_piece piece{.bytes = body.substr(0, asked->most_bytes)};
        body.erase(0, piece.bytes.size());
        piece.is_last = body.empty() && !is_cut;
        co_await csp::sleep(1s);
        co_await asked->answer.output(std::move(piece));
    }
}

exchange streamed(csp::out<body_question> body, std::uint64_t most_bytes = 1024)
{
    csp::chan<stream_piece> pieces;
    stream_carrier carrier{.to_session = pieces.shared_tx(), .body = std::move(body), .body_length = 12};
    auto x = std::make_unique<exchange_record>(std::move(carrier));
    policy p = test::policy_without_site();
    p.limits.body_bytes = most_bytes;
    x->by = frozen_policy(std::move(p));
    return x;
}

csp::process reads_stream(exchange x, std::size_t at_once, std::expected<std::string, body_failure> expected)
{
    EXPECT_TRUE(request_body::is_in(*x));
    auto b = request_body::take(*x);
    EXPECT_EQ(b->length(), 12U);
    EXPECT_FALSE(request_body::is_in(*x));
    EXPECT_EQ(co_await read_up_to(*b, 1 << 20, at_once), expected);
    EXPECT_EQ(b->is_over(), expected.has_value());
    request_body::put_back(*x, std::move(*b));
}

void stream_gives(const std::string& body, bool is_cut, std::uint64_t most,
                  const std::expected<std::string, body_failure>& expected)
{
    for (const std::size_t at_once : {1U, 5U, 100U}) {
        csp::for_seeds(20, [&](std::uint64_t seed) {
            csp::test_kernel kernel(seed);
            csp::chan<body_question> questions;
            kernel.start(session(body, is_cut, questions.rx()));
            kernel.start(reads_stream(streamed(questions.tx(), most), at_once, expected));
            EXPECT_TRUE(kernel.run_for(std::chrono::hours(1)).empty());
        });
    }
}

TEST(BodyOfAStream, ComesPieceByPiece) { stream_gives("hello, world", false, 1024, "hello, world"); }
TEST(BodyOfAStream, EndsWhenTheClientWithdraws)
{
    stream_gives("hello", true, 1024, std::unexpected(body_failure::client_left));
}
TEST(BodyOfAStream, IsLimited) { stream_gives("hello, world", false, 8, std::unexpected(body_failure::too_large)); }

}  // namespace
}  // namespace server
