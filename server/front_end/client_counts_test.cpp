// SPDX-License-Identifier: MIT
#include "server/front_end/client_counts.hpp"

#include <gmock/gmock.h>

#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

http::ip_address ip(std::string_view text) { return http::parse_ip(text).value(); }

http::ip_address numbered(unsigned i)
{
    http::ip_address a = ip("2001:db8::");
    a.bytes[6] = static_cast<std::uint8_t>(i >> 8);
    a.bytes[7] = static_cast<std::uint8_t>(i);
    return a;
}

csp::process connections_are_counted()
{
    client_counts c({.connections_per_address = 2});
    EXPECT_TRUE(c.enter(ip("192.0.2.1")));
    EXPECT_TRUE(c.enter(ip("192.0.2.1")));
    EXPECT_FALSE(c.enter(ip("192.0.2.1")));
    EXPECT_TRUE(c.enter(ip("192.0.2.2")));
    c.leave(ip("192.0.2.1"));
    EXPECT_TRUE(c.enter(ip("192.0.2.1")));
    EXPECT_FALSE(c.enter(ip("192.0.2.1")));
    EXPECT_TRUE(c.enter(ip("2001:db8::1")));
    EXPECT_TRUE(c.enter(ip("2001:db8::2")));
    EXPECT_FALSE(c.enter(ip("2001:db8::ffff:3")));  // the same subscriber
    EXPECT_TRUE(c.enter(ip("2001:db8:0:1::1")));
    co_return;
}

csp::process everybody_who_left_is_forgotten()
{
    client_counts c({.connections_per_address = 2});
    for (unsigned i = 0; i < 1000; ++i) EXPECT_TRUE(c.enter(numbered(i)));
    EXPECT_EQ(c.known(), 1000U);
    for (unsigned i = 0; i < 1000; ++i) c.leave(numbered(i));
    EXPECT_EQ(c.known(), 0U);
    co_return;
}

csp::process requests_come_in_bursts()
{
    client_counts c({.requests_per_second = 10, .burst = 5});
    EXPECT_TRUE(c.enter(ip("192.0.2.1")));
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 5; ++i) EXPECT_FALSE(c.ask(ip("192.0.2.1")));
        EXPECT_THAT(c.ask(ip("192.0.2.1")), testing::Optional(seconds(1)));
        EXPECT_FALSE(c.ask(numbered(static_cast<unsigned>(round))));  // another's business
        co_await csp::sleep(milliseconds(100));
        EXPECT_FALSE(c.ask(ip("192.0.2.1")));
        EXPECT_TRUE(c.ask(ip("192.0.2.1")));
        co_await csp::sleep(seconds(60));  // no more than a burst is saved up
    }
}

csp::process the_rate_is_kept()
{
    client_counts c({.requests_per_second = 7, .burst = 3});
    int answered = 0;
    for (int i = 0; i < 10'000; ++i) {
        answered += c.ask(ip("192.0.2.1")) ? 0 : 1;
        co_await csp::sleep(milliseconds(1));
    }
    EXPECT_GE(answered, 70);
    EXPECT_LE(answered, 73);
}

csp::process counts_survive_new_limits()
{
    client_counts c({});
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(c.enter(ip("192.0.2.1")));  // counted though nothing is limited
    c.apply({.connections_per_address = 3});
    EXPECT_FALSE(c.enter(ip("192.0.2.1")));
    c.leave(ip("192.0.2.1"));
    EXPECT_TRUE(c.enter(ip("192.0.2.1")));
    c.apply({.connections_per_address = 1});
    EXPECT_FALSE(c.enter(ip("192.0.2.1"))) << "who has too many keeps them, and gets no more";
    c.apply({});
    EXPECT_TRUE(c.enter(ip("192.0.2.1")));
    for (int i = 0; i < 4; ++i) c.leave(ip("192.0.2.1"));
    EXPECT_EQ(c.known(), 0U);
    co_return;
}

csp::process debts_survive_a_new_rate()
{
    client_counts c({.requests_per_second = 1, .burst = 10});
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(c.ask(ip("192.0.2.1")));
    EXPECT_TRUE(c.ask(ip("192.0.2.1")));
    c.apply({.requests_per_second = 100, .burst = 10});
    EXPECT_TRUE(c.ask(ip("192.0.2.1"))) << "ten are still owed";
    co_await csp::sleep(milliseconds(100));  // the time of ten
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(c.ask(ip("192.0.2.1")));
    EXPECT_TRUE(c.ask(ip("192.0.2.1")));
    c.apply({});
    EXPECT_FALSE(c.ask(ip("192.0.2.1")));
    c.apply({.requests_per_second = 1, .burst = 1});
    EXPECT_FALSE(c.ask(ip("192.0.2.1"))) << "nothing was owed meanwhile";
    EXPECT_TRUE(c.ask(ip("192.0.2.1")));
}

csp::process going_away_does_not_help()
{
    client_counts c({.requests_per_second = 1, .burst = 1});
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(c.enter(ip("192.0.2.1")));
        EXPECT_EQ(c.ask(ip("192.0.2.1")).has_value(), i > 0);
        c.leave(ip("192.0.2.1"));
    }
    EXPECT_EQ(c.known(), 1U);
    co_await csp::sleep(seconds(2));
    EXPECT_TRUE(c.enter(ip("192.0.2.2")));
    EXPECT_EQ(c.known(), 1U);  // the one with the debt is forgotten with it
}

csp::process many_addresses_take_little_memory()
{
    client_counts c({.requests_per_second = 1, .burst = 1}, 100);
    for (unsigned i = 0; i < 10'000; ++i) {
        EXPECT_TRUE(c.enter(numbered(i)));
        EXPECT_FALSE(c.ask(numbered(i)));
        c.leave(numbered(i));
        EXPECT_LE(c.known(), 101U);
    }
    co_return;
}

void run_alone(csp::process&& p)
{
    csp::test_kernel k(1);
    k.start(std::move(p));
    EXPECT_THAT(k.run(), testing::IsEmpty());
}

TEST(ClientCounts, AddressHasSoManyConnections) { run_alone(connections_are_counted()); }
TEST(ClientCounts, ForgetsWhoLeft) { run_alone(everybody_who_left_is_forgotten()); }
TEST(ClientCounts, LetsABurstThrough) { run_alone(requests_come_in_bursts()); }
TEST(ClientCounts, KeepsTheRate) { run_alone(the_rate_is_kept()); }
TEST(ClientCounts, RemembersWhoComesBackAtOnce) { run_alone(going_away_does_not_help()); }
TEST(ClientCounts, ObeysNewLimitsAtOnce) { run_alone(counts_survive_new_limits()); }
TEST(ClientCounts, ADebtIsOfRequestsNotOfTime) { run_alone(debts_survive_a_new_rate()); }
TEST(ClientCounts, IsBounded) { run_alone(many_addresses_take_little_memory()); }

}  // namespace
}  // namespace server
