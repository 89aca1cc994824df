// SPDX-License-Identifier: MIT
#include "io/acceptor.hpp"

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
class acceptors : public on_engine {};
ON_BOTH_ENGINES(acceptors);

process connect_and_read(address where, int times)
{
    for (; times > 0; --times) {
        auto s = co_await connect(where, soon());
        EXPECT_TRUE(s.has_value());
        if (s) EXPECT_EQ(co_await get(*s), "welcome");
    }
}
process welcome(acceptor connections, int times)
{
    for (; times > 0; --times) {
        auto s = co_await connections.next();
        EXPECT_TRUE(s.has_value());
        if (s) co_await put(*s, "welcome");
    }
}
process many_connections()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    EXPECT_EQ((co_await par(welcome(acceptor(std::move(*l)), 300), connect_and_read(where, 100),
                            connect_and_read(where, 100), connect_and_read(where, 100)))
                  .faulted,
              0U);
}
TEST_P(acceptors, take_connections) { run(many_connections()); }

process one_connection(acceptor connections, address where)
{
    EXPECT_EQ((co_await par(welcome(std::move(connections), 1), connect_and_read(where, 1))).faulted, 0U);
}
TEST_P(acceptors, belong_to_the_core_of_the_first_wait)
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor connections(std::move(*l));  // when there is no core yet
    run(one_connection(std::move(connections), where));
}

process accept_until_stopped(acceptor connections, csp::in<int> stop, csp::out<int> to_report)
{
    int accepted = 0;
    for (;;) {
        const auto chosen = co_await csp::pri_alt(stop, connections);
        if (chosen == stop) break;
        EXPECT_TRUE(chosen == connections);
        auto s = co_await connections.next();
        EXPECT_TRUE(s.has_value());
        if (s) co_await put(*s, "welcome");
        ++accepted;
    }
    co_await stop.input();
    co_await to_report.output(accepted);
}
process connect_then_stop(address where, csp::out<int> to_acceptor, csp::in<int> accepted)
{
    for (int i = 0; i < 20; ++i) {
        auto s = co_await connect(where, soon());
        EXPECT_TRUE(s.has_value());
        if (s) EXPECT_EQ(co_await get(*s), "welcome");
    }
    co_await to_acceptor.output(0);
    EXPECT_EQ(co_await accepted.input(), 20);
}
process alternatives()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    csp::chan<int> stop;
    csp::chan<int> report;
    EXPECT_EQ((co_await par(accept_until_stopped(acceptor(std::move(*l)), stop.rx(), report.tx()),
                            connect_then_stop(where, stop.tx(), report.rx())))
                  .faulted,
              0U);
}
TEST_P(acceptors, stand_in_an_alt_beside_channels) { run(alternatives()); }

process not_while_full()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor connections(std::move(*l));
    const auto client = co_await connect(where, soon());
    auto timeout = csp::after(20ms);
    const auto chosen = co_await csp::pri_alt(csp::when(false, connections), timeout);
    EXPECT_TRUE(chosen == timeout);
    auto later = csp::at(soon());
    EXPECT_TRUE((co_await csp::pri_alt(csp::when(true, connections), later)).position() == 0);
    EXPECT_TRUE((co_await connections.next()).has_value());
}
TEST_P(acceptors, may_be_left_out_of_an_alt) { run(not_while_full()); }

process burst(std::size_t size)
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    std::vector<socket> clients;
    acceptor connections(std::move(*l));
    for (std::size_t i = 0; i < size; ++i) clients.push_back(*co_await connect(where, soon()));
    // The first connection arrives alone. Then the process is slow, and more connections wait than are accepted in
    // advance.
    for (std::size_t i = 0; i < size; ++i) {
        EXPECT_TRUE((co_await connections.next()).has_value());
        if (i == 0) co_await csp::sleep(10ms);
    }
    auto none = csp::after(10ms);
    EXPECT_TRUE((co_await csp::pri_alt(connections, none)) == none);
}
TEST_P(acceptors, take_a_burst_step_by_step) { run(burst(400)); }

process dropped_with_connections()
{
    const reserved_port port;
    const address where = port.where();
    auto l = listen(where);
    std::vector<socket> clients;
    {
        acceptor connections(std::move(*l));
        for (int i = 0; i < 5; ++i) clients.push_back(*co_await connect(where, soon()));
        EXPECT_TRUE((co_await connections.next()).has_value());
    }
    for (socket& s : clients) {
        const std::string last = co_await get(s);
        EXPECT_TRUE(last == "end" || last == "Connection reset by peer") << last;
    }
    // The listener is closed with the acceptor, perhaps a moment later.
    const auto in_vain = soon();
    while (csp::core::here().now() < in_vain && co_await connect(where, soon())) co_await csp::sleep(1ms);
    EXPECT_FALSE(co_await connect(where, soon()));
}
TEST_P(acceptors, close_what_nobody_took) { run(dropped_with_connections()); }

process never_waited_on()
{
    const acceptor unused(*listen(address::loopback(0)));
    co_return;
}
TEST_P(acceptors, may_be_dropped_unused) { run(never_waited_on()); }

class descriptor_limit {
  public:
    explicit descriptor_limit(rlim_t most)
    {
        getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit low{most, before_.rlim_max};
        setrlimit(RLIMIT_NOFILE, &low);
    }
    descriptor_limit(const descriptor_limit&) = delete;
    descriptor_limit& operator=(const descriptor_limit&) = delete;
    ~descriptor_limit() { setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
};

process descriptors_run_out()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor connections(std::move(*l));
    const descriptor raw(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto before = csp::core::here().now();
    {
        const descriptor_limit none_left(3);
        EXPECT_EQ(::connect(raw.number(), where.data(), where.size()), 0);
        for (int i = 0; i < 4; ++i) {  // at once, and after 10, 20 and 40 ms
            const auto refused = co_await connections.next();
            EXPECT_FALSE(refused.has_value());
            if (!refused) EXPECT_EQ(refused.error().number, EMFILE);
        }
        EXPECT_GE(csp::core::here().now() - before, 65ms);
    }
    EXPECT_TRUE((co_await connections.next()).has_value());
}
TEST_P(acceptors, pause_when_descriptors_run_out) { run(descriptors_run_out()); }

process one_by_one()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor connections(std::move(*l), acceptor::in_advance::one);
    std::vector<socket> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(*co_await connect(where, soon()));
    for (int i = 0; i < 10; ++i) {
        const std::size_t before = open_descriptors();
        EXPECT_TRUE((co_await connections.next()).has_value());
        EXPECT_LE(open_descriptors(), before + 1);
    }
}
TEST_P(acceptors, may_take_no_more_than_they_are_asked_for) { run(one_by_one()); }

process listener_shuts_down()
{
    auto l = listen(address::loopback(0));
    const int fd = l->number();
    acceptor connections(std::move(*l));
    auto none = csp::after(5ms);
    EXPECT_TRUE((co_await csp::pri_alt(connections, none)) == none);
    shutdown(fd, SHUT_RDWR);
    for (int i = 0; i < 3; ++i) {
        const auto s = co_await connections.next();
        EXPECT_FALSE(s.has_value());
        if (!s) EXPECT_TRUE(s.error().closed());
    }
}
TEST_P(acceptors, yield_closed_for_ever_after_the_end) { run(listener_shuts_down()); }

descriptor plain_connection(const address& where)
{
    descriptor d(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(d.number(), where.data(), where.size()), 0);
    return d;
}

process last_ones()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor connections(std::move(*l));
    auto none = csp::after(5ms);
    EXPECT_TRUE((co_await csp::pri_alt(connections, none)) == none);
    std::vector<descriptor> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(plain_connection(where));
    connections.finish(acceptor::last_clients::taken);
    for (int i = 0; i < 400; ++i) {
        EXPECT_TRUE((co_await connections.next()).has_value()) << i;
        if (i < 200) clients.push_back(plain_connection(where));  // comes while others are taken
    }
    for (int i = 0; i < 2; ++i) {
        const auto end = co_await connections.next();
        EXPECT_TRUE(!end && end.error().closed());
    }
}
TEST_P(acceptors, take_all_who_have_come_by_the_end) { run(last_ones()); }

process some_are_left()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor connections(std::move(*l));
    auto none = csp::after(5ms);
    EXPECT_TRUE((co_await csp::pri_alt(connections, none)) == none);
    std::vector<descriptor> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(plain_connection(where));
    connections.finish(acceptor::last_clients::left);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE((co_await connections.next()).has_value()) << i;
    const auto end = co_await connections.next();
    EXPECT_TRUE(!end && end.error().closed());
    EXPECT_TRUE(plain_connection(where)) << "the door is not closed: others may share it";
}
TEST_P(acceptors, take_who_is_there_and_leave_the_others) { run(some_are_left()); }

process arrivals(address where, int times)
{
    for (; times > 0; --times) {
        const auto s = co_await connect(where, soon());
        co_await csp::sleep(50us);
    }
}
process come_and_go(address where, int times)
{
    for (int i = 0; i < times; ++i) {
        acceptor connections(*listen(where, 64, port_sharing::among_cores));
        auto none = csp::after(csp::duration(100us) * (i % 5));
        co_await csp::pri_alt(connections, none);
    }
}
process racing_end()
{
    const auto l = listen(address::loopback(0), 4096, port_sharing::among_cores);
    const address where = *local(*l);
    EXPECT_EQ((co_await par(arrivals(where, 200), come_and_go(where, 50))).faulted, 0U);
}
TEST_P(acceptors, leak_nothing_when_dropped_as_connections_arrive) { run(racing_end()); }

}  // namespace
}  // namespace io::test
