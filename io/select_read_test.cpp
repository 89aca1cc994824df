// SPDX-License-Identifier: MIT
#include "io/select_read.hpp"

#include <set>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <gtest/gtest.h>

#include "csp/channel.hpp"
#include "csp/par.hpp"
#include "io/test_engines.hpp"

namespace io::test {
namespace {

using csp::par;
using csp::process;
using outcome = select_event::outcome;
class select_sets : public on_engine {};
ON_BOTH_ENGINES(select_sets);

process one_event_each()
{
    auto [client, server] = co_await tcp_pair();
    auto [other_client, other] = co_await tcp_pair();
    select_read idle;
    idle.add(7, server, soon());
    idle.add(8, other, soon());
    EXPECT_EQ(idle.size(), 2U);
    co_await put(client, "GET /");
    const auto event = co_await idle.next();
    EXPECT_EQ(event.token, 7U);
    EXPECT_EQ(event.what, outcome::arrived);
    EXPECT_EQ(event.bytes.text(), "GET /");
    EXPECT_EQ(idle.size(), 1U);
    co_await put(client, " HTTP/1.1");
    EXPECT_EQ(co_await get(server), " HTTP/1.1");
    idle.add(9, server, soon());
    co_await put(other_client, "x");
    EXPECT_EQ((co_await idle.next()).token, 8U);
    co_await put(client, "again");
    EXPECT_EQ((co_await idle.next()).bytes.text(), "again");
}
TEST_P(select_sets, report_what_arrives) { run(one_event_each()); }

process already_there()
{
    auto [client, server] = co_await tcp_pair();
    co_await put(client, "early");
    co_await csp::sleep(2ms);
    select_read idle;
    idle.add(1, server, soon());
    EXPECT_EQ((co_await idle.next()).bytes.text(), "early");
}
TEST_P(select_sets, report_what_was_there_before) { run(already_there()); }

process closes_and_resets()
{
    auto [client, server] = co_await tcp_pair();
    auto [rude_client, rude] = co_await tcp_pair();
    select_read idle;
    idle.add(1, server, soon());
    {
        const socket closed = std::move(client);
    }
    const auto closed = co_await idle.next();
    EXPECT_EQ(closed.what, outcome::closed);
    EXPECT_EQ(closed.why.number, 0);
    EXPECT_EQ(co_await get(server), "end");

    idle.add(2, rude, soon());
    reset_on_close(rude_client);
    {
        const socket reset = std::move(rude_client);
    }
    const auto broken = co_await idle.next();
    EXPECT_EQ(broken.what, outcome::closed);
    EXPECT_EQ(broken.why.number, ECONNRESET);
}
TEST_P(select_sets, report_the_end_of_a_connection) { run(closes_and_resets()); }

process last_words()
{
    auto [client, server] = co_await tcp_pair();
    select_read idle;
    idle.add(1, server, soon());
    co_await put(client, "last words");
    {
        const socket closed = std::move(client);
    }
    EXPECT_EQ((co_await idle.next()).bytes.text(), "last words");
    idle.add(1, server, soon());
    EXPECT_EQ((co_await idle.next()).what, outcome::closed);
}
TEST_P(select_sets, report_bytes_before_the_end) { run(last_words()); }

process deadlines()
{
    auto [client, server] = co_await tcp_pair();
    auto [later_client, later] = co_await tcp_pair();
    select_read idle;
    const auto start = csp::core::here().now();
    idle.add(2, later, in(40ms));
    idle.add(1, server, in(20ms));
    const auto first = co_await idle.next();
    EXPECT_EQ(first.token, 1U);
    EXPECT_EQ(first.what, outcome::expired);
    EXPECT_GE(csp::core::here().now() - start, 20ms);
    EXPECT_EQ((co_await idle.next()).token, 2U);
    EXPECT_GE(csp::core::here().now() - start, 40ms);
    co_await put(client, "still works");
    EXPECT_EQ(co_await get(server), "still works");
    // The timer of an earlier membership must not end a later one.
    idle.add(3, server, in(10ms));
    idle.remove(server);
    idle.add(4, server, in(40ms));
    const auto again = csp::core::here().now();
    EXPECT_EQ((co_await idle.next()).token, 4U);
    EXPECT_GE(csp::core::here().now() - again, 30ms);
    idle.add(5, server, no_deadline);
    auto none = csp::after(60ms);
    EXPECT_TRUE((co_await csp::pri_alt(idle, none)) == none);
}
TEST_P(select_sets, report_a_deadline) { run(deadlines()); }

process removal()
{
    auto [client, server] = co_await tcp_pair();
    select_read idle;
    for (int i = 0; i < 100; ++i) {
        idle.add(1, server, soon());
        if (i % 3 == 0) co_await csp::yield();
        co_await put(client, "abc");
        if (i % 3 == 1) co_await csp::yield();
        if (i % 5 == 0) co_await csp::sleep(200us);
        idle.remove(server);
        EXPECT_EQ(idle.size(), 0U);
        co_await put(client, "def");
        std::string all;
        while (all.size() < 6) all += co_await get(server);
        EXPECT_EQ(all, "abcdef");
    }
    idle.remove(server);
}
TEST_P(select_sets, lose_nothing_by_removal) { run(removal()); }

process add_again_at_once()
{
    auto [client, server] = co_await tcp_pair();
    select_read idle;
    select_read other;
    for (int i = 0; i < 100; ++i) {
        idle.add(1, server, soon());
        if (i % 2 == 0) co_await csp::sleep(50us);
        idle.remove(server);
        other.add(2, server, soon());
        if (i % 3 == 0) {
            other.remove(server);
            other.add(2, server, in(0ms));
            const auto gone = co_await other.next();
            EXPECT_EQ(gone.what, outcome::expired);
            other.add(2, server, soon());
        }
        co_await put(client, "here");
        const auto event = co_await other.next();
        EXPECT_EQ(event.token, 2U);
        EXPECT_EQ(event.bytes.text(), "here");
    }
}
TEST_P(select_sets, may_be_left_for_another) { run(add_again_at_once()); }

process write_slowly(socket s, int times)
{
    for (; times > 0; --times) {
        co_await put(s, "0123456789");
        co_await csp::sleep(150us);
    }
}
process park_impatiently(socket s, int times)
{
    select_read idle;
    std::string all;
    for (int i = 0;; ++i) {
        idle.add(1, s, in(csp::duration(50us) * (i % 6)));
        auto event = co_await idle.next();
        if (event.what == outcome::closed) break;
        all += event.bytes.text();
    }
    EXPECT_EQ(all.size(), static_cast<std::size_t>(times) * 10);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<char>('0' + i % 10));
}
process racing_deadlines()
{
    auto [client, server] = co_await tcp_pair();
    EXPECT_EQ((co_await par(write_slowly(std::move(client), 300), park_impatiently(std::move(server), 300))).faulted,
              0U);
}
TEST_P(select_sets, lose_nothing_to_a_deadline_that_races) { run(racing_deadlines()); }

process thousand(std::size_t size)
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor accepts(std::move(*l));
    std::vector<socket> clients;
    std::vector<socket> servers;
    select_read idle;
    for (std::size_t i = 0; i < size; ++i) {
        clients.push_back(*co_await connect(where, soon()));
        servers.push_back(*co_await accepts.next());
        idle.add(i, servers.back(), soon());
    }
    EXPECT_EQ(idle.size(), size);
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < size; ++i) co_await put(clients[i], std::to_string(i));
        // All events are kept, so more buffers are in use than the ring has.
        std::vector<select_event> events;
        std::set<std::uint64_t> tokens;
        while (events.size() < size) {
            events.push_back(co_await idle.next());
            EXPECT_EQ(events.back().what, outcome::arrived);
            EXPECT_EQ(events.back().bytes.text(), std::to_string(events.back().token));
            tokens.insert(events.back().token);
        }
        EXPECT_EQ(tokens.size(), size);
        EXPECT_EQ(idle.size(), 0U);
        for (std::size_t i = 0; i < size; ++i) idle.add(i, servers[i], soon());
    }
    // Some are removed, some are closed, and the rest are destroyed with the set.
    for (std::size_t i = 0; i < size; i += 3) idle.remove(servers[i]);
    for (std::size_t i = 1; i < size; i += 3) const socket dropped = std::move(servers[i]);
    EXPECT_EQ(idle.size(), size / 3);
}
TEST_P(select_sets, hold_a_thousand) { run(thousand(999)); }

process stream_out(socket s, std::size_t size)
{
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 % 251);
    co_await put(s, text);
}
process read_both_ways(socket s, std::size_t size)
{
    select_read idle;
    std::string all;
    while (all.size() < size) {
        idle.add(1, s, soon());
        auto event = co_await idle.next();
        if (event.what != outcome::arrived) break;
        all += event.bytes.text();
        char more[1000];
        if (all.size() < size) all.append(more, (co_await recv(s, more, soon())).value_or(0));
    }
    EXPECT_EQ(all.size(), size);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < all.size(); ++i) wrong += all[i] != static_cast<char>(i * 31 % 251) ? 1U : 0U;
    EXPECT_EQ(wrong, 0U);
}
process mixed_reading()
{
    auto [client, server] = co_await tcp_pair();
    EXPECT_EQ(
        (co_await par(stream_out(std::move(client), 500'000), read_both_ways(std::move(server), 500'000))).faulted, 0U);
}
TEST_P(select_sets, take_turns_with_recv) { run(mixed_reading()); }

process drop_members()
{
    auto [client, server] = co_await tcp_pair();
    auto [other_client, other] = co_await tcp_pair();
    select_read idle;
    idle.add(1, server, soon());
    co_await csp::sleep(1ms);
    {
        const socket dropped = std::move(server);
    }
    EXPECT_EQ(idle.size(), 0U);
    EXPECT_EQ(co_await get(client), "end");
    {
        select_read brief;
        brief.add(1, other, soon());
        co_await csp::sleep(1ms);
    }
    co_await put(other_client, "kept");
    EXPECT_EQ(co_await get(other), "kept");
    // The event was reported, but the socket is dropped before the event is taken.
    idle.add(1, other, soon());
    co_await put(other_client, "unheard");
    co_await csp::sleep(2ms);
    {
        const socket dropped = std::move(other);
    }
    auto none = csp::after(1ms);
    EXPECT_TRUE((co_await csp::pri_alt(idle, none)) == none);
}
TEST_P(select_sets, forget_what_is_dropped) { run(drop_members()); }

process parking(csp::in<socket> idle_connections, csp::out<int> to_report)
{
    std::vector<socket> parked;
    select_read idle;
    int arrived = 0;
    for (bool open = true; open || idle.size() > 0;) {
        const auto chosen = co_await csp::fair_alt(csp::when(open, idle_connections), idle);
        if (chosen == idle) {
            auto event = co_await idle.next();
            EXPECT_EQ(event.what, outcome::arrived);
            ++arrived;
        } else {
            auto s = co_await idle_connections.input();
            if (!s) {
                open = false;
                continue;
            }
            parked.push_back(std::move(*s));
            idle.add(parked.size() - 1, parked.back(), soon());
        }
    }
    co_await to_report.output(arrived);
}
process clients(csp::out<socket> to_parking, csp::in<int> report)
{
    {
        const csp::out<socket> to = std::move(to_parking);
        std::vector<socket> all;
        for (int i = 0; i < 50; ++i) {
            auto [client, server] = co_await tcp_pair();
            EXPECT_TRUE(co_await const_cast<csp::out<socket>&>(to).output(std::move(server)));
            if (i % 2 == 0) co_await put(client, "now");
            all.push_back(std::move(client));
        }
        for (std::size_t i = 1; i < 50; i += 2) co_await put(all[i], "then");
        co_await csp::sleep(2ms);
    }
    EXPECT_EQ(co_await report.input(), 50);
}
process parking_lot()
{
    csp::chan<socket> to_park;
    csp::chan<int> report;
    EXPECT_EQ((co_await par(parking(to_park.rx(), report.tx()), clients(to_park.tx(), report.rx()))).faulted, 0U);
}
TEST_P(select_sets, stand_in_an_alt_beside_channels) { run(parking_lot()); }

/// So many submissions that the queue must be flushed; by that call the kernel also delivers input for other sockets.
process bytes_that_nobody_has_seen()
{
    auto [client, server] = co_await tcp_pair();
    select_read idle;
    idle.add(1, server, soon());
    co_await csp::sleep(1ms);
    EXPECT_FALSE(select_read::has_input(server));
    EXPECT_EQ(::send(client.number(), "x", 1, 0), 1);
    EXPECT_TRUE(select_read::has_input(server));
    std::vector<socket> others;
    for (std::uint64_t i = 0; i < 600; ++i) {
        auto pair = socket_pair();
        EXPECT_TRUE(pair.has_value());
        if (!pair) co_return;
        others.push_back(std::move(pair->first));
        others.push_back(std::move(pair->second));
        idle.add(2, others[2 * i], soon());
    }
    EXPECT_TRUE(select_read::has_input(server));
    EXPECT_EQ((co_await idle.next()).bytes.text(), "x");
}
TEST_P(select_sets, know_what_has_come_before_they_report_it) { run(bytes_that_nobody_has_seen()); }

TEST(endpoints, are_small) { EXPECT_LE(sizeof(detail::endpoint), 232U); }

}  // namespace
}  // namespace io::test
