// SPDX-License-Identifier: MIT
//
// The farms are independent of the protocol version. This is tested with a second transport: a protocol with many
// exchanges at once on one connection, in frames of its own, as in HTTP/2. The cache, the static farm and the back end
// are those of the server, and their responses are the same over both transports.
#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/kernel.hpp"
#include "csp/par.hpp"
#include "io/test_engines.hpp"
#include "server/back_end/back_end.hpp"
#include "server/front_end/understand.hpp"
#include "server/network.hpp"
#include "server/static_farm/compressor.hpp"
#include "server/static_farm/static_farm.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using test::scratch_directory;

constexpr std::size_t large = 1024 * 1024;  // bytes; sent from the disk, in pieces

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

// ---- frames: a request has a number and a head, a response has a number and a piece of content

struct frame_head {
    std::uint32_t stream = 0;
    std::uint32_t fields_bytes = 0;
    std::uint32_t bytes = 0;
    std::uint16_t code = 0;  // 0: not the first piece
    stream_piece::what_follows next = stream_piece::what_follows::more;
};

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

/// The reading half of the session: makes an exchange of each request, without waiting for earlier responses.
csp::process session_reader(frozen_policy by, io::socket from, csp::shared_out<stream_piece> pieces,
                            csp::shared_out<exchange> to_cache)
{
    http::request_head head;
    for (frame_head h; co_await read_exactly(from, raw(h));) {
        auto x = std::make_unique<exchange_record>(stream_carrier{pieces, h.stream, {.connection = {}, .request = 1}});
        x->by = by;
        x->asked.own_head.resize(h.bytes);
        if (!co_await read_exactly(from, x->asked.own_head)) co_return;
        const auto understood = http::parse_head(x->asked.own_head, by->limits, head);
        EXPECT_TRUE(understood.has_value());
        understand_request(head, *x);
        co_await to_cache.output(std::move(x));
    }
}

/// The writing half of the session: sends the pieces of all responses in the order of their arrival.
csp::process session_writer(io::socket to, csp::in<stream_piece> pieces)
{
    while (auto p = co_await pieces.input()) {
        frame_head h{.stream = p->stream,
                     .fields_bytes = static_cast<std::uint32_t>(p->fields.lines().size()),
                     .bytes = static_cast<std::uint32_t>(p->bytes.size()),
                     .code = p->code ? http::number(*p->code) : std::uint16_t{0},
                     .next = p->next};
        (void)co_await io::send_all(to, {raw(h), p->fields.lines(), p->bytes}, io::no_deadline);
    }
}

/// Sends all requests at once on one connection, and assembles the responses.
csp::process multiplexing_client(io::socket server, csp::out<std::vector<answer>> answers)
{
    const auto asked = questions();
    for (std::uint32_t i = 0; i < asked.size(); ++i) {
        const std::string head = asked[i].method + " " + asked[i].target + " HTTP/1.1\r\nHost: test\r\n\r\n";
        frame_head h{.stream = i, .bytes = static_cast<std::uint32_t>(head.size())};
        (void)co_await io::send_all(server, {raw(h), head}, io::no_deadline);
    }
    std::vector<answer> got(asked.size());
    for (std::size_t open = asked.size(); open > 0;) {
        frame_head h;
        if (!co_await read_exactly(server, raw(h))) break;
        answer& a = got.at(h.stream);
        std::string fields(h.fields_bytes, '\0');
        std::string bytes(h.bytes, '\0');
        if (!co_await read_exactly(server, fields) || !co_await read_exactly(server, bytes)) break;
        if (h.code != 0) a.code = h.code;
        a.fields += fields;
        a.body += bytes;
        ++a.pieces;
        a.complete = h.next == stream_piece::what_follows::nothing;
        open -= h.next == stream_piece::what_follows::more ? 0 : 1;
    }
    co_await answers.output(std::move(got));
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

csp::process both_transports(std::string root)
{
    csp::chan<exchange> plain, pages, done;
    csp::chan<looked_up> found;
    csp::chan<conn> returned;
    csp::chan<log_lines> lines;
    csp::chan<access_log> formats;
    csp::chan<stream_piece> pieces;
    csp::chan<std::vector<answer>> multiplexed, one_by_one;
    csp::buffered_bridge<tally> hits(csp::core::here(), 8);
    csp::bridge<compression_job> jobs(csp::core::here());
    csp::chan<compression_job> awaited;
    auto another = jobs.tx();
    csp::chan<cache_question> asked;
    csp::chan<cache_room> rooms;
    csp::chan<etag_question> questions;
    auto directory = io::open_directory(root);
    static_rules rules;
    rules.index = {"index.html"};
    const frozen_policy by = test::default_policy(std::move(*directory), rules);

    // One connection. The server's end has two descriptors, one to read from and one to write to.
    auto pair = io::socket_pair();
    io::socket writing_half{io::descriptor(::dup(pair->second.number()))};

    co_await csp::par(
        multiplexing_client(std::move(pair->first), multiplexed.tx()),
        session_reader(by, std::move(pair->second), pieces.shared_tx(), plain.shared_tx()),
        session_writer(std::move(writing_half), pieces.rx()), http1_client(by, plain.shared_tx(), one_by_one.tx()),
        page_cache({}, plain.rx(), found.rx(), asked.rx(), rooms.rx(), jobs.tx(), pages.shared_tx(), done.shared_tx()),
        compressor(jobs.rx()), compression_desk(1024 * 1024, awaited.rx(), std::move(another)),
        static_farm(4, pages.shared_rx(), found.shared_tx(), questions.shared_tx(), awaited.shared_tx(),
                    done.shared_tx()),
        etags({}, questions.rx()),
        back_end(access_log::combined, formats.rx(), done.rx(), returned.shared_tx(), lines.shared_tx(), hits.tx()),
        test::sink(returned.rx()), test::sink(lines.rx()), test::sink(hits.rx()),
        judge(multiplexed.rx(), one_by_one.rx()));
}

class Transport : public io::test::on_engine {};

TEST_P(Transport, TheSameFarmsAnswerBoth)
{
    const scratch_directory site;
    site.write("small.html", "<p>small</p>");
    site.write("sub/index.html", "index");
    std::string bytes(large, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 12));
    site.write("large.bin", bytes);
    // A file changed within the last second has no Last-Modified, and that second may end between the two requests.
    const auto an_hour_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
    for (const auto* const name : {"small.html", "sub/index.html", "large.bin"}) {
        std::filesystem::last_write_time(std::filesystem::path(site.path()) / name, an_hour_ago);
    }

    run(both_transports(site.path()));
}

ON_BOTH_ENGINES(Transport);

}  // namespace
}  // namespace server
