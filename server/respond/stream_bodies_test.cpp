// SPDX-License-Identifier: MIT
//
// Request bodies of many exchanges on one connection, in frames of its own, as in HTTP/2. Each body has a window of its
// own: the client sends only what the reader of that body has asked for, so a reader that stops stops nobody else.
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"
#include "csp/par.hpp"
#include "io/readiness.hpp"
#include "io/test_engines.hpp"
#include "server/respond/request_body.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

constexpr std::uint32_t streams = 100;

/// From the client: so many bytes of a body follow. From the server: the client may send so many more.
struct frame {
    std::uint32_t stream = 0;
    std::uint32_t bytes = 0;
    std::uint32_t is_last = 0;
};
std::span<char> raw(frame& f) { return {reinterpret_cast<char*>(&f), sizeof f}; }

csp::step<bool> read_exactly(io::socket& from, std::span<char> into)
{
    while (!into.empty()) {
        const auto got = co_await io::recv(from, into, io::test::soon());
        if (!got || *got == 0) co_return false;
        into = into.subspan(*got);
    }
    co_return true;
}

std::string body_of(std::uint32_t stream)
{
    std::string text;
    while (text.size() < 20'000) text += std::to_string(stream) + " says " + std::to_string(text.size()) + ", ";
    return text;
}

csp::process client(io::socket server)
{
    std::vector<std::string> left;
    for (std::uint32_t i = 0; i < streams; ++i) left.push_back(body_of(i));
    for (frame window; co_await read_exactly(server, raw(window));) {
        std::string& rest = left.at(window.stream);
        const std::string part = rest.substr(0, window.bytes);
        rest.erase(0, part.size());
        frame f{.stream = window.stream, .bytes = static_cast<std::uint32_t>(part.size()), .is_last = rest.empty()};
        (void)co_await io::send_all(server, {raw(f), part}, io::test::soon());
    }
}

/// The questions of all streams. An end is taken out when its exchange needs no more of its body.
struct open_bodies {
    std::vector<std::uint32_t> stream;
    std::vector<csp::in<body_question>> questions;

    void remove(std::size_t i)
    {
        stream.erase(stream.begin() + static_cast<std::ptrdiff_t>(i));
        questions.erase(questions.begin() + static_cast<std::ptrdiff_t>(i));
    }
};

/// Owns the connection. It waits neither for a reader nor for the body of one stream, and keeps no bytes.
csp::process session(io::socket from_client, open_bodies open)
{
    std::vector<csp::out<body_piece>> asked(streams);
    io::readable arrivals(from_client);
    while (!open.questions.empty()) {
        const auto chosen = co_await csp::fair_alt(open.questions, arrivals);
        if (chosen == arrivals) {
            frame f;
            if (!co_await read_exactly(from_client, raw(f))) co_return;
            std::string bytes(f.bytes, '\0');
            if (!co_await read_exactly(from_client, bytes)) co_return;
            auto answer = std::move(asked.at(f.stream));
            EXPECT_TRUE(answer) << "the client sends what was asked for";
            co_await answer.output({.bytes = std::move(bytes), .is_last = f.is_last != 0});
            continue;
        }
        const std::size_t i = chosen.position();
        auto question = co_await open.questions[i].input();
        if (!question) {
            open.remove(i);
            continue;
        }
        frame window{.stream = open.stream[i], .bytes = static_cast<std::uint32_t>(question->most_bytes)};
        asked.at(open.stream[i]) = std::move(question->answer);
        (void)co_await io::send_all(from_client, raw(window), io::test::soon());
    }
}

csp::step<void> read_body(exchange_record& x, std::uint32_t stream)
{
    auto b = request_body::take(x);
    std::string all;
    std::string room(16 + stream * 37, '\0');
    for (;;) {
        const auto got = co_await b->read(room);
        EXPECT_TRUE(got.has_value());
        if (!got || *got == 0) break;
        all.append(room, 0, *got);
    }
    EXPECT_EQ(all, body_of(stream));
    request_body::put_back(x, std::move(*b));
}

csp::process reader(exchange x, std::uint32_t stream, csp::shared_out<std::uint32_t> done)
{
    co_await read_body(*x, stream);
    co_await done.output(stream);
}

/// Begins to read its body, and reads on only when all others have ended.
csp::process late_reader(exchange x, std::uint32_t stream, csp::in<std::uint32_t> done)
{
    auto b = request_body::take(*x);
    std::array<char, 100> room{};
    EXPECT_EQ(co_await b->read(room), 100U);
    std::uint32_t ended = 0;
    while (co_await done.input()) ++ended;
    EXPECT_EQ(ended, streams - 1);
    EXPECT_EQ(co_await b->read(room), 100U);
    EXPECT_EQ(std::string(room.begin(), room.end()), body_of(stream).substr(100, 100));
    request_body::put_back(*x, std::move(*b));  // and the session does not wait for the rest
}

csp::process all_of_them()
{
    auto ends = io::socket_pair();
    const frozen_policy by = test::default_policy();
    csp::chan<std::uint32_t> done;
    csp::chan<stream_piece> pieces;
    open_bodies open;
    std::vector<exchange> exchanges;
    for (std::uint32_t i = 0; i < streams; ++i) {
        csp::chan<body_question> questions;
        open.stream.push_back(i);
        open.questions.push_back(questions.rx());
        exchanges.push_back(std::make_unique<exchange_record>(
            stream_carrier{.to_session = pieces.shared_tx(), .stream = i, .body = questions.tx()}));
        exchanges.back()->by = by;
    }
    csp::forking readers;
    exchange last = std::move(exchanges.back());
    exchanges.pop_back();
    for (std::uint32_t i = 0; exchange& x : exchanges) readers.start(reader(std::move(x), i++, done.shared_tx()));
    co_await csp::par(client(std::move(ends->first)), session(std::move(ends->second), std::move(open)),
                      late_reader(std::move(last), streams - 1, done.rx()));
    co_await readers.join();
}

class StreamBodies : public io::test::on_engine {};
ON_BOTH_ENGINES(StreamBodies);

TEST_P(StreamBodies, DoNotWaitForOneThatIsNotRead) { run(all_of_them()); }

}  // namespace
}  // namespace server
