// SPDX-License-Identifier: MIT
//
// The farms are independent of the protocol version. This is tested with a second transport: a protocol with many
// exchanges at once on one connection, in frames of its own, as in HTTP/2. The cache, the static farm and the back end
// are those of the server, and their responses are the same over both transports.
#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/kernel.hpp"
#include "csp/par.hpp"
#include "io/readiness.hpp"
#include "io/test_engines.hpp"
#include "server/back_end/back_end.hpp"
#include "server/front_end/understand.hpp"
#include "server/network.hpp"
#include "server/respond/response_writer.hpp"
#include "server/static_farm/compressor.hpp"
#include "server/static_farm/static_farm.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using test::scratch_directory;

constexpr std::size_t large = 1024 * 1024;  // bytes; sent from the disk, in pieces
constexpr std::size_t medium = 200 * 1024;  // more than a window

/// A client's request, and the response.
struct question {
    std::string method;
    std::string target;
};
/// The fields; their order has no meaning.
std::multiset<std::string> lines_of(std::string_view fields)
{
    std::multiset<std::string> lines;
    for (std::size_t end = 0; (end = fields.find("\r\n")) != std::string_view::npos; fields.remove_prefix(end + 2)) {
        lines.emplace(fields.substr(0, end));
    }
    return lines;
}

struct answer {
    unsigned code = 0;
    std::string fields;  // those of the response itself
    std::string body;
    bool complete = false;
    unsigned pieces = 0;
    friend bool operator==(const answer& a, const answer& b)
    {
        return a.code == b.code && lines_of(a.fields) == lines_of(b.fields) && a.body == b.body &&
               a.complete == b.complete;
    }
};

std::vector<question> questions()
{
    std::vector<question> all;
    for (int i = 0; i < 10; ++i) {
        all.push_back({"GET", "/large.bin"});
        all.push_back({"GET", "/small.html"});
        all.push_back({"GET", "/nothing"});
        all.push_back({"GET", "/sub?q=" + std::to_string(i)});
        all.push_back({i % 2 == 0 ? "HEAD" : "POST", "/small.html"});
    }
    return all;
}

// ---- frames: a request has a number and a head, a response has a number and pieces of content

enum class frame_kind : std::uint8_t { request, grant, reset, piece };

struct frame_head {
    std::uint32_t stream = 0;
    std::uint32_t fields_bytes = 0;
    std::uint32_t bytes = 0;  // that follow; of a grant: that may be sent in addition
    std::uint16_t code = 0;   // 0: not the first piece
    frame_kind kind = frame_kind::piece;
    stream_piece::what_follows next = stream_piece::what_follows::more;
};

constexpr std::uint64_t first_window = 64 * 1024;  // bytes of a response that may be sent before the first grant
constexpr std::uint64_t frame_bytes = 16 * 1024;   // the longest frame

csp::step<bool> read_exactly(io::socket& from, std::span<char> into)
{
    while (!into.empty()) {
        const auto got = co_await io::recv(from, into, io::no_deadline);
        if (!got || *got == 0) co_return false;
        into = into.subspan(*got);
    }
    co_return true;
}

std::span<char> raw(frame_head& h) { return {reinterpret_cast<char*>(&h), sizeof h}; }

// ---- the session

/// What the client tells about one of its exchanges.
struct notice {
    std::uint32_t stream = 0;
    frame_kind kind = frame_kind::request;
    std::uint64_t granted = 0;
    csp::out<stop> left = {};
};

/// The reading half: makes an exchange of each request, without waiting for earlier responses.
///
/// It is a client of the session and of the cache, and waits for the client of the connection. Nobody waits for it.
csp::process session_reader(frozen_policy by, io::socket from, csp::shared_out<stream_piece> pieces,
                            csp::out<notice> to_session, csp::shared_out<exchange> to_farms)
{
    http::request_head head;
    for (frame_head h; co_await read_exactly(from, raw(h));) {
        if (h.kind != frame_kind::request) {
            co_await to_session.output({.stream = h.stream, .kind = h.kind, .granted = h.bytes});
            continue;
        }
        csp::chan<stop> leaving;
        auto x = std::make_unique<exchange_record>(stream_carrier{
            .to_session = pieces, .stream = h.stream, .id = {.connection = {}, .request = 1}, .left = leaving.rx()});
        x->by = by;
        x->asked.own_head.resize(h.bytes);
        if (!co_await read_exactly(from, x->asked.own_head)) co_return;
        const auto understood = http::parse_head(x->asked.own_head, by->limits, head);
        EXPECT_TRUE(understood.has_value());
        understand_request(head, *x);
        co_await to_session.output({.stream = h.stream, .left = leaving.tx()});
        co_await to_farms.output(std::move(x));
    }
}

/// An exchange whose response is not over.
struct open_stream {
    std::uint64_t window = first_window;
    std::optional<stream_piece> piece = {};
    std::uint64_t sent = 0;  // of the piece
    csp::out<stop> left = {};

    [[nodiscard]] std::uint64_t unsent() const { return bytes_of(piece->content) - sent; }
    [[nodiscard]] bool can_send() const { return piece && (window > 0 || piece->code || unsent() == 0); }
};

/// The bytes of a piece, into `room` unless they are in memory. Empty if the file cannot be read.
csp::step<std::string_view> bytes_in(const stream_piece& p, std::uint64_t offset, std::uint64_t bytes,
                                     std::string& room)
{
    if (const auto* const text = std::get_if<std::string>(&p.content)) {
        co_return std::string_view(*text).substr(offset, bytes);
    }
    if (const auto* const of = std::get_if<page_part>(&p.content)) {
        co_return of->page->as(of->coding).whole.content().substr(of->part.offset + offset, bytes);
    }
    const auto& of = std::get<file_part>(p.content);
    room.resize(bytes);
    const auto got = co_await io::read(*of.file, room, of.part.offset + offset);
    co_return std::string_view(room).substr(0, got.value_or(0));
}

/// The streams of a session, and the frames that they send in turn.
class open_streams {
  public:
    csp::step<void> take(notice n)
    {
        if (n.kind == frame_kind::request) streams_[n.stream].left = std::move(n.left);
        const auto s = streams_.find(n.stream);
        if (s == streams_.end()) co_return;
        s->second.window += n.granted;
        if (n.kind == frame_kind::reset) co_await close(s);
    }
    /// Drops the pieces of exchanges that were reset.
    void take(stream_piece p)
    {
        if (const auto s = streams_.find(p.stream); s != streams_.end()) s->second.piece = std::move(p);
    }
    /// A part of the next piece as a frame; empty if none may be sent.
    csp::step<std::string> next_frame()
    {
        auto s = streams_.upper_bound(last_);
        for (std::size_t i = 0; i < streams_.size(); ++i, ++s) {
            if (s == streams_.end()) s = streams_.begin();
            if (s->second.can_send()) {
                last_ = s->first;
                co_return co_await frame_of(s);
            }
        }
        co_return std::string();
    }
    csp::step<void> close_all()
    {
        while (!streams_.empty()) co_await close(streams_.begin());
    }

  private:
    using place = std::map<std::uint32_t, open_stream>::iterator;

    csp::step<std::string> frame_of(place at)
    {
        using enum stream_piece::what_follows;
        open_stream& s = at->second;
        stream_piece& p = *s.piece;
        const std::uint64_t wanted = std::min({s.unsent(), s.window, frame_bytes});
        std::string room;
        const std::string_view bytes = co_await bytes_in(p, s.sent, wanted, room);
        const bool is_cut = bytes.size() < wanted;
        const bool is_all = bytes.size() == s.unsent();
        const response_fields fields = std::exchange(p.fields, {});
        frame_head h{.stream = at->first,
                     .fields_bytes = static_cast<std::uint32_t>(fields.lines().size()),
                     .bytes = static_cast<std::uint32_t>(bytes.size()),
                     .code = p.code ? http::number(*std::exchange(p.code, {})) : std::uint16_t{0},
                     .next = is_cut   ? never
                             : is_all ? p.next
                                      : more};
        std::string frame(raw(h).data(), sizeof h);
        frame.append(fields.lines()).append(bytes);
        s.sent += bytes.size();
        s.window -= bytes.size();
        if (is_all && p.next == more) {
            co_await answer(s);
        } else if (is_all || is_cut) {
            co_await close(at);
        }
        co_return frame;
    }
    /// The worker waits for the answer, and for nothing else.
    static csp::step<void> answer(open_stream& s)
    {
        stream_piece p = *std::exchange(s.piece, {});
        co_await p.answer.output({.bytes = std::exchange(s.sent, 0)});
    }
    csp::step<void> close(place at)
    {
        open_stream s = std::move(at->second);
        streams_.erase(at);
        s.left = {};
        if (s.piece) co_await answer(s);
    }

    std::map<std::uint32_t, open_stream> streams_;
    std::uint32_t last_ = 0;
};

/// Owns the streams, and writes to the connection. A pure server: it waits for neither a worker nor its client, since
/// it writes only when the socket has room.
csp::process session(io::socket to, csp::in<notice> notices, csp::in<stream_piece> pieces)
{
    open_streams streams;
    std::string frame;
    io::writable room(to);
    for (bool is_over = false;;) {
        if (frame.empty()) frame = co_await streams.next_frame();
        const auto chosen =
            co_await csp::pri_alt(csp::when(!is_over, notices), pieces, csp::when(!frame.empty(), room));
        if (chosen == notices) {
            auto n = co_await notices.input();
            is_over = !n;
            if (n) co_await streams.take(std::move(*n));
            if (is_over) co_await streams.close_all();
        } else if (chosen == pieces) {
            auto p = co_await pieces.input();
            if (!p) co_return;
            streams.take(std::move(*p));
        } else {
            const auto sent = co_await io::send(to, frame, csp::core::here().now());
            frame.erase(0, sent ? *sent : sent.error().timed_out() ? 0 : frame.size());
        }
    }
}

// ---- the client

/// A client of a session. It grants as much as it has read, but nothing to those that it does not read.
class multiplexing_client {
  public:
    explicit multiplexing_client(io::socket server) : server_(std::move(server)) {}

    csp::step<void> ask(std::vector<question> all)
    {
        got_.resize(all.size());
        for (std::uint32_t i = 0; i < all.size(); ++i) {
            const std::string head = all[i].method + " " + all[i].target + " HTTP/1.1\r\nHost: test\r\n\r\n";
            frame_head h{.stream = i, .bytes = static_cast<std::uint32_t>(head.size()), .kind = frame_kind::request};
            (void)co_await io::send_all(server_, {raw(h), head}, io::no_deadline);
        }
    }
    csp::step<void> tell(std::uint32_t stream, frame_kind what, std::uint64_t bytes = 0)
    {
        frame_head h{.stream = stream, .bytes = static_cast<std::uint32_t>(bytes), .kind = what};
        (void)co_await io::send_all(server_, raw(h), io::no_deadline);
    }
    /// Takes the next frame. Returns the number of its stream; nothing at the end.
    csp::step<std::optional<std::uint32_t>> take_one()
    {
        frame_head h;
        if (!co_await read_exactly(server_, raw(h))) co_return std::nullopt;
        answer& a = got_.at(h.stream);
        std::string fields(h.fields_bytes, '\0');
        std::string bytes(h.bytes, '\0');
        if (!co_await read_exactly(server_, fields) || !co_await read_exactly(server_, bytes)) co_return std::nullopt;
        if (h.code != 0) a.code = h.code;
        a.fields += fields;
        a.body += bytes;
        ++a.pieces;
        a.complete = h.next == stream_piece::what_follows::nothing;
        ended_ += h.next == stream_piece::what_follows::more ? 0 : 1;
        if (h.bytes > 0 && !unread_.contains(h.stream)) co_await tell(h.stream, frame_kind::grant, h.bytes);
        co_return h.stream;
    }
    void read_no_more_of(std::uint32_t stream) { unread_.insert(stream); }
    csp::step<void> read_again(std::uint32_t stream)
    {
        unread_.erase(stream);
        co_await tell(stream, frame_kind::grant, got_[stream].body.size());
    }
    [[nodiscard]] const std::vector<answer>& got() const { return got_; }
    [[nodiscard]] std::size_t ended() const { return ended_; }

  private:
    io::socket server_;
    std::vector<answer> got_;
    std::set<std::uint32_t> unread_;
    std::size_t ended_ = 0;
};

/// Sends all requests at once on one connection, and assembles the responses.
csp::process asks_all_at_once(io::socket server, csp::out<std::vector<answer>> answers)
{
    multiplexing_client client(std::move(server));
    co_await client.ask(questions());
    while (client.ended() < client.got().size() && co_await client.take_one()) {
    }
    co_await answers.output(client.got());
}

/// Sends the same requests over HTTP/1.1, one on each connection.
csp::process http1_client(frozen_policy by, csp::shared_out<exchange> to_cache, csp::out<std::vector<answer>> answers)
{
    http::request_head head;
    std::vector<answer> got;
    for (const question& q : questions()) {
        auto pair = io::socket_pair();
        auto c = std::make_unique<connection>(std::move(pair->first));
        c->client.text = "test";
        const std::string text = q.method + " " + q.target + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        test::receive(*c, test::arrived(io::engine::here(), text));
        c->by = by;
        co_await to_cache.output(understand(std::move(c), head));

        std::string response;
        std::array<char, 64 * 1024> room;
        for (;;) {
            const auto n = co_await io::recv(pair->second, room, io::no_deadline);
            if (!n || *n == 0) break;
            response.append(room.data(), *n);
        }
        // The status line, Server, Date and Connection belong to the transport.
        answer a;
        a.code = static_cast<unsigned>(std::stoul(response.substr(9, 3)));
        const std::size_t end = response.find("\r\n\r\n");
        std::size_t own = 0;
        for (int lines = 0; lines < 4; ++lines) own = response.find("\r\n", own) + 2;
        a.fields = own < end ? response.substr(own, end + 2 - own) : "";
        a.body = response.substr(end + 4);
        a.complete = true;
        got.push_back(std::move(a));
    }
    co_await answers.output(std::move(got));
}

csp::process judge(csp::in<std::vector<answer>> multiplexed, csp::in<std::vector<answer>> one_by_one)
{
    const auto asked = questions();
    const auto many = co_await multiplexed.input();
    const auto ones = co_await one_by_one.input();
    EXPECT_TRUE(many && ones);
    if (!many || !ones) co_return;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        const answer& a = (*many)[i];
        EXPECT_EQ(a, (*ones)[i]) << asked[i].method << ' ' << asked[i].target << ": " << a.code << ' ' << a.fields
                                 << " but over HTTP/1.1 " << (*ones)[i].code << ' ' << (*ones)[i].fields;
        EXPECT_TRUE(a.complete);
        const std::string& target = asked[i].target;
        const unsigned expected = target == "/nothing" ? 404U : target.starts_with("/sub") ? 301U : 200U;
        EXPECT_EQ(a.code, asked[i].method == "POST" ? 405U : expected) << target;
        if (target == "/large.bin") {
            EXPECT_EQ(a.body.size(), large);
            EXPECT_GT(a.pieces, 1U);
        }
        if (asked[i].method == "HEAD") EXPECT_TRUE(a.body.empty());
    }
}

/// The cache and the static farm, with a session on `server`.
csp::process served(frozen_policy by, io::socket server, csp::in<exchange> requests, csp::shared_out<exchange> to_cache,
                    csp::shared_out<exchange> done)
{
    csp::chan<exchange> pages;
    csp::chan<looked_up> found;
    csp::chan<stream_piece> pieces;
    csp::chan<notice> notices;
    csp::bridge<compression_job> jobs(csp::core::here());
    csp::chan<compression_job> awaited;
    auto another = jobs.tx();
    csp::chan<cache_question> asked;
    csp::chan<cache_room> rooms;
    csp::chan<etag_question> questions;
    auto writing_half = server.another();
    EXPECT_TRUE(writing_half.has_value());

    co_await csp::par(
        session_reader(by, std::move(server), pieces.shared_tx(), notices.tx(), std::move(to_cache)),
        session(std::move(*writing_half), notices.rx(), pieces.rx()),
        page_cache({}, std::move(requests), found.rx(), asked.rx(), rooms.rx(), jobs.tx(), pages.shared_tx(), done),
        compressor(jobs.rx()), compression_desk(1024 * 1024, awaited.rx(), std::move(another)),
        static_farm(4, pages.shared_rx(), found.shared_tx(), questions.shared_tx(), awaited.shared_tx(), done),
        etags({}, questions.rx()));
}

frozen_policy policy_for(const std::string& root)
{
    auto directory = io::open_directory(root);
    static_rules rules;
    rules.index = {"index.html"};
    return test::default_policy(std::move(*directory), rules);
}

csp::process both_transports(std::string root)
{
    csp::chan<exchange> plain, done;
    csp::chan<conn> returned;
    csp::chan<log_lines> lines;
    csp::chan<access_log> formats;
    csp::chan<std::vector<answer>> multiplexed, one_by_one;
    csp::buffered_bridge<tally> hits(csp::core::here(), 8);
    const frozen_policy by = policy_for(root);
    auto pair = io::socket_pair();

    co_await csp::par(
        asks_all_at_once(std::move(pair->first), multiplexed.tx()),
        http1_client(by, plain.shared_tx(), one_by_one.tx()),
        served(by, std::move(pair->second), plain.rx(), plain.shared_tx(), done.shared_tx()),
        back_end(access_log::combined, formats.rx(), done.rx(), returned.shared_tx(), lines.shared_tx(), hits.tx()),
        test::sink(returned.rx()), test::sink(lines.rx()), test::sink(hits.rx()),
        judge(multiplexed.rx(), one_by_one.rx()));
}

// ---- readers that stop

/// Waits until two responses have filled their windows, and so are sent at the same time; then reads on.
csp::process reads_two_by_turns(io::socket server)
{
    multiplexing_client client(std::move(server));
    client.read_no_more_of(0);
    client.read_no_more_of(1);
    co_await client.ask({{"GET", "/large.bin"}, {"GET", "/large.bin"}});
    const auto is_full = [&](std::size_t i) { return client.got()[i].body.size() == first_window; };
    while ((!is_full(0) || !is_full(1)) && co_await client.take_one()) {
    }
    EXPECT_EQ(client.ended(), 0U);
    co_await client.read_again(1);
    co_await client.read_again(0);
    while (client.ended() < 2 && co_await client.take_one()) {
    }
    for (const answer& a : client.got()) {
        EXPECT_TRUE(a.complete);
        EXPECT_EQ(a.body.size(), large);
    }
}

/// Reads all responses but the last, and then withdraws that request.
csp::process reads_all_but_one(io::socket server, std::size_t requests, csp::in<stop> counted)
{
    const auto unread = static_cast<std::uint32_t>(requests - 1);
    multiplexing_client client(std::move(server));
    client.read_no_more_of(unread);
    co_await client.ask(std::vector<question>(requests, {"GET", "/medium.bin"}));
    while ((client.ended() < requests - 1 || client.got()[unread].body.size() < first_window) &&
           co_await client.take_one()) {
    }
    for (std::uint32_t i = 0; i < requests; ++i) {
        EXPECT_EQ(client.got()[i].complete, i != unread);
        EXPECT_EQ(client.got()[i].body.size(), i != unread ? medium : first_window);
    }
    co_await client.tell(unread, frame_kind::reset);
    co_await counted.input();  // the end of this process closes the connection, which withdraws it too
}

/// Counts exchanges until one of them was withdrawn.
csp::process counts_until_withdrawn(csp::in<exchange> done, std::size_t expected, csp::out<stop> /*counted*/)
{
    std::size_t whole = 0;
    for (bool is_withdrawn = false; !is_withdrawn || whole < expected;) {
        const auto x = co_await done.input();
        EXPECT_TRUE(x.has_value());
        if (!x) co_return;
        const account& sent = (*x)->sent;
        EXPECT_EQ(sent.content_bytes, sent.complete ? medium : first_window);
        whole += sent.complete ? 1 : 0;
        is_withdrawn = is_withdrawn || !sent.complete;
    }
    EXPECT_EQ(whole, expected);
}

csp::process by_turns(std::string root)
{
    csp::chan<exchange> plain, done;
    auto pair = io::socket_pair();
    co_await csp::par(
        reads_two_by_turns(std::move(pair->first)), test::sink(done.rx()),
        served(policy_for(root), std::move(pair->second), plain.rx(), plain.shared_tx(), done.shared_tx()));
}

csp::process all_but_one(std::string root)
{
    csp::chan<exchange> plain, done;
    csp::chan<stop> counted;
    auto pair = io::socket_pair();
    co_await csp::par(
        reads_all_but_one(std::move(pair->first), 100, counted.rx()),
        counts_until_withdrawn(done.rx(), 99, counted.tx()),
        served(policy_for(root), std::move(pair->second), plain.rx(), plain.shared_tx(), done.shared_tx()));
}

/// Writes until it is told to stop.
csp::process endless_writer(csp::in<exchange> requests, csp::out<stop> /*is_told*/)
{
    const auto heads = std::make_unique<head_cache>();
    auto x = co_await requests.input();
    EXPECT_TRUE(x.has_value());
    if (!x) co_return;
    response_writer writer(**x, {}, *heads);
    EXPECT_TRUE(co_await writer.begin({http::status::ok, {}}, std::nullopt, "first"));
    EXPECT_FALSE(writer.client_has_left());
    while (co_await writer.write(std::string(10'000, 'x'))) {
    }
    EXPECT_TRUE((*x)->carrier.stream()->left.guarded()->closed());
    EXPECT_TRUE(writer.client_has_left());
    EXPECT_FALSE(co_await writer.end());
    EXPECT_FALSE((*x)->sent.complete);
    EXPECT_EQ((*x)->sent.content_bytes, first_window);
}

csp::process withdraws(io::socket server, csp::in<stop> is_told)
{
    multiplexing_client client(std::move(server));
    client.read_no_more_of(0);
    co_await client.ask({{"GET", "/endless"}});
    while (client.got()[0].body.size() < first_window && co_await client.take_one()) {
    }
    EXPECT_TRUE(client.got()[0].body.starts_with("first"));
    co_await client.tell(0, frame_kind::reset);
    co_await is_told.input();
}

csp::process endless_and_withdrawn()
{
    csp::chan<exchange> requests;
    csp::chan<stream_piece> pieces;
    csp::chan<notice> notices;
    csp::chan<stop> told;
    auto pair = io::socket_pair();
    auto writing_half = pair->second.another();
    co_await csp::par(withdraws(std::move(pair->first), told.rx()),
                      session_reader(test::default_policy(), std::move(pair->second), pieces.shared_tx(), notices.tx(),
                                     requests.shared_tx()),
                      session(std::move(*writing_half), notices.rx(), pieces.rx()),
                      endless_writer(requests.rx(), told.tx()));
}

class Transport : public io::test::on_engine {};

/// Files that were changed an hour ago: one changed within the last second has no Last-Modified, and that second may
/// end between two requests.
void fill(const scratch_directory& site)
{
    site.write("small.html", "<p>small</p>");
    site.write("sub/index.html", "index");
    std::string bytes(large, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 12));
    site.write("large.bin", bytes);
    site.write("medium.bin", bytes.substr(0, medium));
    const auto an_hour_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
    for (const auto* const name : {"small.html", "sub/index.html", "large.bin", "medium.bin"}) {
        std::filesystem::last_write_time(std::filesystem::path(site.path()) / name, an_hour_ago);
    }
}

TEST_P(Transport, TheSameFarmsAnswerBoth)
{
    const scratch_directory site;
    fill(site);
    run(both_transports(site.path()));
}

TEST_P(Transport, SendsLongResponsesByTurns)
{
    const scratch_directory site;
    fill(site);
    run(by_turns(site.path()));
}

TEST_P(Transport, AReaderThatStopsDelaysNoOther)
{
    const scratch_directory site;
    fill(site);
    run(all_but_one(site.path()));
}

TEST_P(Transport, AWriterIsToldThatItsRequestWasWithdrawn) { run(endless_and_withdrawn()); }

ON_BOTH_ENGINES(Transport);

}  // namespace
}  // namespace server
