// SPDX-License-Identifier: MIT
#include "io/socket.hpp"

#include <cstdlib>
#include <netinet/tcp.h>
#include <numeric>
#include <string>
#include <sys/mman.h>

#include <gtest/gtest.h>

#include "csp/par.hpp"
#include "io/file.hpp"
#include "io/test_engines.hpp"

namespace io::test {
namespace {

using csp::par;
using csp::process;
class sockets : public on_engine {};
ON_BOTH_ENGINES(sockets);

std::string pattern(std::size_t size)
{
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26 + i / 4096 % 3);
    return text;
}

process sends_and_receives()
{
    auto [client, server] = co_await tcp_pair();
    co_await put(client, "hello");
    EXPECT_EQ(co_await get(server), "hello");
    co_await put(server, "goodbye");
    EXPECT_EQ(co_await get(client), "goodbye");
    {
        const socket closed = std::move(client);
    }
    EXPECT_EQ(co_await get(server), "end");
    EXPECT_EQ(co_await get(server), "end");
}
TEST_P(sockets, carry_bytes_until_the_end) { run(sends_and_receives()); }

process echo(socket s)
{
    char byte = 0;
    while (co_await recv(s, {&byte, 1}, soon()) == 1U) {
        co_await put(s, {&byte, 1});
    }
}
process count_echoes(socket s, int rounds)
{
    for (char n = 0; rounds > 0; --rounds, ++n) {
        char back = 0;
        co_await put(s, {&n, 1});
        EXPECT_EQ(co_await recv(s, {&back, 1}, soon()), 1U);
        EXPECT_EQ(back, n);
    }
}
process ping_pong()
{
    auto [client, server] = co_await tcp_pair();
    EXPECT_EQ((co_await par(echo(std::move(server)), count_echoes(std::move(client), 1000))).faulted, 0U);
}
TEST_P(sockets, go_back_and_forth) { run(ping_pong()); }

process deadline_passes()
{
    auto [client, server] = co_await tcp_pair();
    const auto before = csp::core::here().now();
    EXPECT_EQ(co_await get(server, in(30ms)), "deadline passed");
    EXPECT_GE(csp::core::here().now() - before, 30ms);
    EXPECT_EQ(co_await get(server, in(-1s)), "deadline passed");
    co_await put(client, "late");
    EXPECT_EQ(co_await get(server), "late");
    EXPECT_EQ(co_await get(server, in(5ms)), "deadline passed");
    {
        const socket closed = std::move(server);
    }  // with a poll still in flight
    EXPECT_EQ(co_await get(client), "end");
}
TEST_P(sockets, keep_what_comes_after_a_deadline) { run(deadline_passes()); }

process trickle(socket s, int bytes)
{
    for (; bytes > 0; --bytes) {
        co_await put(s, "x");
        co_await csp::sleep(200us);
    }
}
process impatient(socket s)
{
    std::size_t total = 0;
    for (int i = 0;; ++i) {
        char into[16];
        const auto got = co_await recv(s, into, in(csp::duration(i % 7 * 50us)));
        if (got == 0U) break;
        EXPECT_TRUE(got || got.error().timed_out());
        total += got.value_or(0);
    }
    EXPECT_EQ(total, 300U);
}
process racing_deadlines()
{
    auto [client, server] = co_await tcp_pair();
    EXPECT_EQ((co_await par(trickle(std::move(client), 300), impatient(std::move(server)))).faulted, 0U);
}
TEST_P(sockets, lose_nothing_to_a_deadline_that_races) { run(racing_deadlines()); }

process peer_resets()
{
    auto [client, server] = co_await tcp_pair();
    reset_on_close(client);
    {
        const socket closed = std::move(client);
    }
    char into[8];
    const auto got = co_await recv(server, into, soon());
    EXPECT_FALSE(got);
    EXPECT_TRUE(got.error().closed());
    EXPECT_EQ(got.error().number, ECONNRESET);
    const auto sent = co_await send_all(server, "x", soon());
    EXPECT_FALSE(sent);
    EXPECT_EQ(sent.error().number, EPIPE);
}
TEST_P(sockets, tell_a_reset) { run(peer_resets()); }

process reset_while_waiting(socket s)
{
    char into[8];
    const auto got = co_await recv(s, into, soon());
    EXPECT_FALSE(got);
    EXPECT_EQ(got.error().number, ECONNRESET);
}
process resets_later(socket s)
{
    co_await csp::sleep(5ms);
    reset_on_close(s);
}
process peer_resets_a_waiter()
{
    auto [client, server] = co_await tcp_pair();
    EXPECT_EQ((co_await par(reset_while_waiting(std::move(server)), resets_later(std::move(client)))).faulted, 0U);
}
TEST_P(sockets, tell_a_waiter_of_a_reset) { run(peer_resets_a_waiter()); }

process peer_does_not_read()
{
    auto [client, server] = co_await tcp_pair();
    const std::string much = pattern(64 * 1024);
    std::size_t taken = 0;
    for (;;) {
        const auto sent = co_await send(server, much, in(30ms));
        if (!sent) {
            EXPECT_TRUE(sent.error().timed_out());
            break;
        }
        EXPECT_GT(*sent, 0U);
        taken += *sent;
    }
    // There may be room again if this machine was slow, not the peer.
    result<std::size_t> all = 1;
    for (; all && taken < 64U << 20; taken += much.size()) all = co_await send_all(server, much, in(20ms));
    EXPECT_LT(taken, 64U << 20);
    EXPECT_FALSE(all);
    EXPECT_TRUE(all.error().timed_out());
}
TEST_P(sockets, stop_at_a_peer_that_does_not_read) { run(peer_does_not_read()); }

process send_three_pieces(socket s, std::string text)
{
    const std::string_view all = text;
    const auto sent = co_await send_all(s, {all.substr(0, 100), {}, all.substr(100, 1000), all.substr(1100)}, soon());
    EXPECT_EQ(sent.value_or(0), all.size());
}
process expect_text(socket s, std::string text)
{
    const std::string got = co_await get_all(s);
    EXPECT_EQ(got.size(), text.size());
    EXPECT_TRUE(got == text);
}
process gather()
{
    auto [client, server] = co_await tcp_pair();
    const std::string text = pattern(9'000'000);
    EXPECT_EQ((co_await par(send_three_pieces(std::move(server), text), expect_text(std::move(client), text))).faulted,
              0U);
}
TEST_P(sockets, send_pieces_in_order) { run(gather()); }

process send_nothing()
{
    auto [client, server] = co_await tcp_pair();
    EXPECT_EQ(co_await send_all(client, std::string_view(), soon()), 0U);
    EXPECT_EQ(co_await send_all(client, {}, soon()), 0U);
}
TEST_P(sockets, send_nothing_at_once) { run(send_nothing()); }

process addresses()
{
    auto l = listen(address::loopback(0));
    EXPECT_TRUE(l.has_value());
    const address where = *local(*l);
    EXPECT_NE(where.port(), 0);
    const auto again = listen(where);
    EXPECT_FALSE(again);
    EXPECT_EQ(again.error().number, EADDRINUSE);
    acceptor accepts(std::move(*l));
    auto client = co_await connect(where, soon());
    auto server = co_await accepts.next();
    EXPECT_EQ(*peer(*server), *local(*client));
    EXPECT_EQ(*peer(*client), where);
    int nodelay = 0;
    socklen_t size = sizeof nodelay;
    getsockopt(server->number(), IPPROTO_TCP, TCP_NODELAY, &nodelay, &size);
    EXPECT_NE(nodelay, 0);

    auto first = listen(address::loopback(0), 16, port_sharing::among_cores);
    EXPECT_TRUE(listen(*local(*first), 16, port_sharing::among_cores).has_value());
}
TEST_P(sockets, know_their_addresses) { run(addresses()); }

process refused()
{
    const reserved_port nobodys;
    const auto c = co_await connect(nobodys.where(), soon());
    EXPECT_FALSE(c);
    EXPECT_EQ(c.error().number, ECONNREFUSED);
}
TEST_P(sockets, are_refused_where_nobody_listens) { run(refused()); }

TEST(Listening, IsTriedWithoutBeingDone)
{
    for (const auto sharing : {port_sharing::exclusive, port_sharing::among_cores}) {
        const reserved_port port;
        {
            const auto l = listen(port.where(), 16, sharing);
            ASSERT_TRUE(l.has_value());
            const auto may = may_listen(port.where());
            ASSERT_FALSE(may.has_value());
            EXPECT_EQ(may.error().number, EADDRINUSE);
        }
        EXPECT_TRUE(may_listen(port.where()).has_value());
    }
}

process unix_backlog()
{
    const auto where = *address::parse("unix:@occwserv-io-test-" + std::to_string(getpid()));
    const auto l = listen(where, 0);
    EXPECT_TRUE(l.has_value());
    const auto first = co_await connect(where, soon());
    EXPECT_TRUE(first.has_value());
    const auto second = co_await connect(where, in(20ms));
    EXPECT_FALSE(second);
    EXPECT_TRUE(second.error().timed_out());
}
TEST_P(sockets, wait_for_a_full_unix_listener_until_the_deadline) { run(unix_backlog()); }

/// A reader of datagrams.
descriptor datagram_reader(const address& where)
{
    descriptor d(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(d.number(), where.data(), where.size()), 0);
    return d;
}

/// Reads one datagram some time after the writer has found the socket full, and waits until the writer has finished.
process read_a_datagram_later(descriptor from, csp::in<bool> full, csp::out<int> length)
{
    co_await full.input();
    co_await csp::sleep(20ms);
    std::array<char, 100> into{};
    co_await length.output(static_cast<int>(::recv(from.number(), into.data(), into.size(), 0)));
    co_await full.input();
}
process fill_with_datagrams(socket to, csp::out<bool> full, csp::in<int> length)
{
    for (;;) {
        const auto sent = co_await send_all(to, {std::string_view("three "), std::string_view("of us")}, in(0ms));
        if (sent) {
            EXPECT_EQ(sent, 11U);
            continue;
        }
        EXPECT_TRUE(sent.error().timed_out());
        break;
    }
    const auto waits = co_await send_all(to, std::string_view("one more"), in(1ms));
    EXPECT_TRUE(!waits && waits.error().timed_out());
    co_await full.output(true);
    EXPECT_EQ(co_await send_all(to, std::string_view("one more"), soon()), 8U);
    EXPECT_EQ(co_await length.input(), 11);  // each whole
}
process datagrams()
{
    const auto where = *address::parse("unix:@occwserv-io-datagrams-" + std::to_string(getpid()));
    const auto early = connect_for_datagrams(where);
    EXPECT_FALSE(early);
    EXPECT_EQ(early.error().number, ECONNREFUSED);
    auto reader = datagram_reader(where);
    auto writer = connect_for_datagrams(where);
    EXPECT_TRUE(writer.has_value());
    csp::chan<bool> full;
    csp::chan<int> length;
    co_await par(read_a_datagram_later(std::move(reader), full.rx(), length.tx()),
                 fill_with_datagrams(socket(std::move(*writer)), full.tx(), length.rx()));
}
TEST_P(sockets, wait_for_a_reader_of_datagrams) { run(datagrams()); }

file memory_file(const std::string& content)
{
    descriptor d(memfd_create("content", MFD_CLOEXEC));
    EXPECT_EQ(write(d.number(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
    return file(std::move(d));
}
process send_whole_file(socket s, file f, std::size_t size, std::size_t part = SIZE_MAX, file_key key = file_key::none)
{
    std::uint64_t offset = 0;
    while (offset < size) {
        const auto sent = co_await send_file(s, f, offset, std::min(part, size - offset), soon(), key);
        EXPECT_TRUE(sent && *sent > 0);
        if (!sent) co_return;
        offset += *sent;
    }
    EXPECT_EQ(co_await send_file(s, f, size, 100, soon()), 0U);
}
process files_over_sockets()
{
    auto [client, server] = co_await tcp_pair();
    const std::string text = pattern(5'000'000);
    EXPECT_EQ((co_await par(send_whole_file(std::move(server), memory_file(text), text.size()),
                            expect_text(std::move(client), text)))
                  .faulted,
              0U);
}
process file_in_short_parts()
{
    const std::string text = pattern(1'000'000);
    for (int times = 0; times < 2; ++times) {  // the second time, its blocks are known to be in memory
        auto [client, server] = co_await tcp_pair();
        EXPECT_EQ((co_await par(send_whole_file(std::move(server), memory_file(text), text.size(), 50'000, file_key{7}),
                                expect_text(std::move(client), text)))
                      .faulted,
                  0U);
    }
}
TEST_P(sockets, send_a_file_in_short_parts) { run(file_in_short_parts()); }
TEST_P(sockets, send_files) { run(files_over_sockets()); }

process file_to_a_lazy_peer()
{
    auto [client, server] = co_await tcp_pair();
    const file f = memory_file(pattern(1'000'000));
    result<std::size_t> sent = 1;
    for (int i = 0; i < 1000 && sent; ++i) sent = co_await send_file(server, f, 0, 1'000'000, in(20ms));
    EXPECT_FALSE(sent);
    EXPECT_TRUE(sent.error().timed_out());
    {
        const socket closed = std::move(client);
    }
    while ((sent = co_await send_file(server, f, 0, 1'000'000, soon()))) {
    }
    EXPECT_TRUE(sent.error().closed());
}
TEST_P(sockets, stop_sending_a_file_to_a_peer_that_does_not_read) { run(file_to_a_lazy_peer()); }

process talk_on(socket s)
{
    const std::string chatter = pattern(50'000);
    co_await put(s, chatter);
    EXPECT_EQ(co_await get_all(s), "the answer");
}
process answer_and_close(socket s)
{
    co_await put(s, "the answer");
    co_await close_lingering(std::move(s), soon());
}
process lingering()
{
    auto [client, server] = co_await tcp_pair();
    EXPECT_EQ((co_await par(answer_and_close(std::move(server)), talk_on(std::move(client)))).faulted, 0U);
}
TEST_P(sockets, linger_so_that_the_answer_arrives) { run(lingering()); }

process lingering_is_bounded()
{
    auto [client, server] = co_await tcp_pair();
    const auto before = csp::core::here().now();
    co_await close_lingering(std::move(server), in(20ms));
    EXPECT_GE(csp::core::here().now() - before, 20ms);
    EXPECT_EQ(co_await get(client), "end");
}
TEST_P(sockets, linger_no_longer_than_the_deadline) { run(lingering_is_bounded()); }

process pairs_and_pipes()
{
    auto pair = socket_pair();
    co_await put(pair->first, "across");
    EXPECT_EQ(co_await get(pair->second), "across");
    auto pipe = pipe_from_child();
    EXPECT_EQ(write(pipe->childs.number(), "out", 3), 3);
    EXPECT_EQ(co_await get(pipe->ours), "out");
    EXPECT_EQ(co_await get(pipe->ours, in(5ms)), "deadline passed");
    {
        const descriptor closed = std::move(pipe->childs);
    }
    EXPECT_EQ(co_await get(pipe->ours), "end");
    auto other = pipe_to_child();
    {
        const descriptor closed = std::move(other->childs);
    }
    const auto sent = co_await send_all(other->ours, "x", soon());
    EXPECT_FALSE(sent);
    EXPECT_EQ(sent.error().number, EPIPE);
}
TEST_P(sockets, may_be_pairs_and_pipes) { run(pairs_and_pipes()); }

process reads_byte_by_byte(socket s, std::string expected)
{
    for (const char wanted : expected) {
        char byte = 0;
        EXPECT_EQ(co_await recv(s, {&byte, 1}, soon()), 1U);
        EXPECT_EQ(byte, wanted);
    }
}
process sends_slowly(socket s, std::string text)
{
    for (const char& c : text) {
        co_await csp::sleep(1ms);
        co_await put(s, {&c, 1});
    }
}
process duplicates()
{
    auto [client, server] = co_await tcp_pair();
    for (int i = 0; i < 3; ++i) {
        // Each of them waits, so each is watched, and the next one may have the number of the one before.
        auto second = server.another();
        auto clients_second = client.another();
        co_await par(reads_byte_by_byte(std::move(*second), "abc"), sends_slowly(std::move(*clients_second), "abc"));
        EXPECT_EQ(co_await get(server, in(2ms)), "deadline passed");
        co_await put(client, "d");
        EXPECT_EQ(co_await get(server), "d");
    }
    auto last = server.another();
    server = {};
    co_await put(*last, "still open");
    EXPECT_EQ(co_await get(client), "still open");
    last = socket();
    EXPECT_EQ(co_await get(client), "end");
}
TEST_P(sockets, are_read_and_written_through_duplicates) { run(duplicates()); }

process elsewhere(descriptor d)
{
    EXPECT_EQ(csp::core::here().index(), 1U);
    socket s(std::move(d));
    co_await put(s, "from the other core");
    EXPECT_EQ(co_await get(s), "and back");
}
struct other_core {  // a core is no message, but this test knows what it does
    csp::core* core;
};
process moves_away(other_core there)
{
    auto [client, server] = co_await tcp_pair();
    EXPECT_EQ(co_await get(server, in(5ms)), "deadline passed");  // so it is known to this core's engine
    csp::forking others;
    others.start_on(*there.core, elsewhere(std::move(server).release()));
    EXPECT_EQ(co_await get(client), "from the other core");
    co_await put(client, "and back");
    EXPECT_EQ((co_await others.join()).faulted, 0U);
}
TEST_P(sockets, travel_to_another_core_as_descriptors)
{
    csp::kernel k({.cores = 2}, engines(GetParam()));
    EXPECT_EQ(k.run(moves_away({&k.at(1)})), csp::outcome::finished);
}

process ends_by_fault()
{
    auto [client, server] = co_await tcp_pair();
    const socket kept = std::move(server);
    throw std::runtime_error("on purpose");
}
TEST_P(sockets, close_when_their_process_faults)
{
    csp::kernel k({}, engines(GetParam()));
    EXPECT_EQ(k.run(ends_by_fault()), csp::outcome::faulted);
}

process waits_for_ever(csp::in<int> never, socket s)
{
    co_await never.input();
    co_await put(s, "never");
}
process holds(csp::out<int> end, buffer b)
{
    csp::chan<int> own;
    csp::in<int> never = own.rx();
    co_await never.input();
    co_await end.output(static_cast<int>(b.size()));
}
process deadlocked()
{
    auto [client, server] = co_await tcp_pair();
    csp::chan<int> c;
    EXPECT_EQ((co_await par(waits_for_ever(c.rx(), std::move(client)), holds(c.tx(), buffer::make()))).faulted, 0U);
}
TEST_P(sockets, outlive_their_engine_when_the_network_is_quiet)
{
    csp::kernel k({}, engines(GetParam()));
    EXPECT_EQ(k.run(deadlocked()), csp::outcome::deadlock);
}

}  // namespace
}  // namespace io::test
