// SPDX-License-Identifier: MIT
#include "io/readiness.hpp"

#include <cerrno>
#include <string>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>

#include "csp/alt.hpp"
#include "csp/channel.hpp"
#include "csp/par.hpp"
#include "io/select_read.hpp"
#include "io/test_engines.hpp"

namespace io::test {
namespace {

using csp::process;
class readiness : public on_engine {};
ON_BOTH_ENGINES(readiness);

/// Whether the source is ready within a short time. If not, the ALT has chosen another alternative.
template <class Source>
csp::step<bool> is_ready(Source& source)
{
    const csp::timeout brief = csp::after(5ms);
    co_return (co_await csp::pri_alt(source, brief)) == source;
}

template <class Source>
csp::step<bool> becomes_ready(Source& source)
{
    const csp::timeout late = csp::at(soon());
    co_return (co_await csp::pri_alt(source, late)) == source;
}

csp::step<void> fill(socket& s)
{
    const std::string much(1 << 20, 'x');
    while (co_await send(s, much, in(20ms))) {
    }
}

csp::step<void> drain(socket& s)
{
    std::string room(1 << 20, '\0');
    while (co_await recv(s, room, in(20ms))) {
    }
}

csp::step<void> bytes_come(socket& ours, socket& others)
{
    readable bytes(ours);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(co_await is_ready(bytes));
        EXPECT_FALSE(co_await is_ready(bytes)) << "asked again";
        EXPECT_EQ(co_await get(ours, in(5ms)), "deadline passed") << "a call after an ALT that chose something else";
        co_await put(others, "some");
        EXPECT_TRUE(co_await becomes_ready(bytes));
        EXPECT_TRUE(co_await becomes_ready(bytes)) << "still there";
        EXPECT_EQ(co_await get(ours), "some");
    }
    co_await put(others, "more");
    EXPECT_EQ(co_await get(ours), "more") << "nothing was asked";
    EXPECT_FALSE(co_await is_ready(bytes));
    co_await put(others, "last");
    EXPECT_EQ(co_await get(ours), "last");
    EXPECT_FALSE(co_await is_ready(bytes)) << "the engine reports what was read in the meantime";
}

process on_sockets()
{
    auto [client, server] = co_await tcp_pair();
    co_await bytes_come(server, client);
    co_await bytes_come(client, server);
    auto pair = socket_pair();
    co_await bytes_come(pair->first, pair->second);
}
TEST_P(readiness, of_sockets_comes_with_bytes) { run(on_sockets()); }

process on_pipes()
{
    auto to = pipe_to_child();
    socket childs(std::move(to->childs));
    childs.at().is_pipe = true;
    co_await bytes_come(childs, to->ours);
    readable bytes(childs);
    EXPECT_FALSE(co_await is_ready(bytes));
    to->ours = {};
    EXPECT_TRUE(co_await becomes_ready(bytes)) << "the writer has gone";
    EXPECT_EQ(co_await get(childs), "end");
    EXPECT_TRUE(co_await becomes_ready(bytes)) << "still at its end";
}
TEST_P(readiness, of_pipes_comes_with_bytes_and_the_end) { run(on_pipes()); }

process at_the_end()
{
    auto [client, server] = co_await tcp_pair();
    readable bytes(server);
    EXPECT_FALSE(co_await is_ready(bytes));
    EXPECT_TRUE(shutdown_write(client).has_value());
    EXPECT_TRUE(co_await becomes_ready(bytes));
    EXPECT_EQ(co_await get(server), "end");
    EXPECT_TRUE(co_await becomes_ready(bytes));

    auto [resetter, victim] = co_await tcp_pair();
    readable error(victim);
    EXPECT_FALSE(co_await is_ready(error));
    reset_on_close(resetter);
    resetter = {};
    EXPECT_TRUE(co_await becomes_ready(error));
    EXPECT_EQ(co_await get(victim), "Connection reset by peer");
    EXPECT_TRUE(co_await becomes_ready(error));
}
TEST_P(readiness, of_a_socket_comes_with_its_end_and_with_errors) { run(at_the_end()); }

csp::step<void> room_comes(socket& ours, socket& others)
{
    const std::string one = "x";
    writable room(ours);
    EXPECT_TRUE(co_await becomes_ready(room));
    for (int i = 0; i < 2; ++i) {
        co_await fill(ours);
        EXPECT_FALSE(co_await is_ready(room));
        EXPECT_FALSE(co_await send(ours, one, in(5ms))) << "still full";
        co_await drain(others);
        EXPECT_TRUE(co_await becomes_ready(room));
        co_await put(ours, "some");
        EXPECT_EQ(co_await get(others), "some");
    }
}

process in_sockets_and_pipes()
{
    auto [client, server] = co_await tcp_pair();
    co_await room_comes(server, client);
    auto pair = socket_pair();
    co_await room_comes(pair->first, pair->second);
    auto to = pipe_to_child();
    socket childs(std::move(to->childs));
    childs.at().is_pipe = true;
    co_await room_comes(to->ours, childs);
    co_await fill(to->ours);
    writable room(to->ours);
    EXPECT_FALSE(co_await is_ready(room));
    childs = {};
    EXPECT_TRUE(co_await becomes_ready(room)) << "the reader has gone";
    const std::string one = "x";
    const auto sent = co_await send(to->ours, one, soon());
    EXPECT_TRUE(!sent && sent.error().number == EPIPE);
}
TEST_P(readiness, to_write_comes_with_room_and_when_the_reader_goes) { run(in_sockets_and_pipes()); }

process answers(socket client, csp::in<int> orders)
{
    while (co_await orders.input()) co_await put(client, "answer");
}

process several_at_once(socket server, csp::out<int> orders)
{
    auto other = socket_pair();
    auto pipe = pipe_from_child();
    readable first(server);
    readable second(pipe->ours);
    writable third(other->first);
    co_await fill(other->first);
    for (int i = 0; i < 100; ++i) {
        co_await orders.output(1);
        EXPECT_TRUE((co_await csp::fair_alt(first, second, third)) == first);
        EXPECT_EQ(co_await get(server), "answer");
        EXPECT_EQ(::write(pipe->childs.number(), "x", 1), 1);
        EXPECT_TRUE((co_await csp::fair_alt(first, second, third)) == second);
        EXPECT_EQ(co_await get(pipe->ours), "x");
    }
    co_await drain(other->second);
    EXPECT_TRUE((co_await csp::fair_alt(first, second, third)) == third);
}

process both()
{
    auto pair = socket_pair();
    csp::chan<int> orders;
    co_await csp::par(answers(std::move(pair->first), orders.rx()),
                      several_at_once(std::move(pair->second), orders.tx()));
}
TEST_P(readiness, of_several_is_told_apart) { run(both()); }

process never_waits()
{
    auto pair = socket_pair();
    readable bytes(pair->first);
    EXPECT_TRUE((co_await csp::pri_alt(bytes, csp::skip)) == csp::skip);
    co_await put(pair->second, "x");
    EXPECT_TRUE((co_await csp::pri_alt(bytes, csp::skip)) == bytes);
    EXPECT_EQ(co_await get(pair->first), "x");
    EXPECT_TRUE((co_await csp::pri_alt(bytes, csp::skip)) == csp::skip);
    co_await put(pair->second, "y");
    // The engine may have to look first.
    while ((co_await csp::pri_alt(bytes, csp::skip)) == csp::skip) co_await csp::sleep(1ms);
    EXPECT_EQ(co_await get(pair->first), "y");
}
TEST_P(readiness, is_asked_without_waiting) { run(never_waits()); }

process after_a_set()
{
    auto [client, server] = co_await tcp_pair();
    {
        select_read idle;
        idle.add(1, server, soon());
        const csp::timeout brief = csp::after(5ms);
        EXPECT_TRUE((co_await csp::pri_alt(idle, brief)) == brief);
        co_await put(client, "early");
        idle.remove(server);
    }
    readable bytes(server);
    EXPECT_TRUE(co_await becomes_ready(bytes));
    EXPECT_EQ(co_await get(server), "early");
    EXPECT_FALSE(co_await is_ready(bytes));
}
TEST_P(readiness, sees_bytes_that_a_select_set_has_fetched) { run(after_a_set()); }

csp::step<bool> leaves(const socket& of)
{
    const auto in_vain = soon();
    while (!has_left(of) && csp::core::here().now() < in_vain) co_await csp::sleep(1ms);
    co_return has_left(of);
}

process peers()
{
    auto [client, server] = co_await tcp_pair();
    EXPECT_FALSE(has_left(server));
    co_await put(client, "pipelined");
    EXPECT_FALSE(has_left(server)) << "unread input";
    EXPECT_TRUE(shutdown_write(client).has_value());
    EXPECT_TRUE(co_await leaves(server)) << "half-closed";
    EXPECT_EQ(co_await get(server), "pipelined");

    auto [closer, left] = co_await tcp_pair();
    co_await put(closer, "unread");
    closer = {};
    EXPECT_TRUE(co_await leaves(left));

    auto [resetter, victim] = co_await tcp_pair();
    reset_on_close(resetter);
    resetter = {};
    EXPECT_TRUE(co_await leaves(victim));
    EXPECT_EQ(co_await get(victim), "Connection reset by peer");
    EXPECT_TRUE(has_left(victim)) << "after the error was reported";
}
TEST_P(readiness, of_peers_to_leave_is_seen) { run(peers()); }

}  // namespace
}  // namespace io::test
