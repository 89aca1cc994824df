// SPDX-License-Identifier: MIT
#include "server/progress.hpp"

#include <gmock/gmock.h>

#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr patience limits{.stall = seconds(10), .least_rate = 100};

csp::process nothing_gets_through()
{
    const progress p(limits);
    const csp::time_point began = csp::core::here().now();
    EXPECT_EQ(p.next_deadline(), began + seconds(10));
    co_await csp::sleep(seconds(4));
    EXPECT_EQ(p.next_deadline(), began + seconds(10));
}

csp::process keeps_the_rate()
{
    progress p(limits);
    for (int i = 0; i < 1000; ++i) {
        co_await csp::sleep(seconds(1));
        EXPECT_GT(p.next_deadline(), csp::core::here().now()) << "after " << i << " seconds";
        p.made(100);
    }
}

csp::process falls_behind()
{
    progress p(limits);
    int lasted = 0;
    for (; lasted < 1000; ++lasted) {
        co_await csp::sleep(seconds(1));
        if (p.next_deadline() <= csp::core::here().now()) break;
        p.made(50);  // half the rate: the head start is used up after twice its length
    }
    EXPECT_GE(lasted, 17);
    EXPECT_LE(lasted, 21);
}

csp::process cannot_save_up()
{
    progress p(limits);
    p.made(1'000'000);  // worth three hours at the least rate, but a stall is a stall
    EXPECT_EQ(p.next_deadline(), csp::core::here().now() + seconds(10));
    co_await csp::sleep(seconds(9));
    p.made(1);
    EXPECT_EQ(p.next_deadline(), csp::core::here().now() + seconds(10));
}

csp::process rate_counts_in_fractions()
{
    progress p(limits);
    p.made(50);
    co_await csp::sleep(milliseconds(1));
    p.made(0);
    EXPECT_EQ(p.next_deadline(), csp::core::here().now() - milliseconds(1) + seconds(10) + milliseconds(1));
}

csp::process no_overflow_with_long_transfers()
{
    progress p(limits);
    p.made(std::uint64_t{1} << 50);
    EXPECT_EQ(p.next_deadline(), csp::core::here().now() + seconds(10));
    co_return;
}

void run_alone(csp::process&& p)
{
    csp::test_kernel k(1);
    k.start(std::move(p));
    EXPECT_THAT(k.run(), testing::IsEmpty());
}

TEST(Progress, HasAStallsTimeForTheFirstByte) { run_alone(nothing_gets_through()); }
TEST(Progress, GoesOnAsLongAsTheRateIsKept) { run_alone(keeps_the_rate()); }
TEST(Progress, EndsBelowTheRate) { run_alone(falls_behind()); }
TEST(Progress, CannotBeSavedUp) { run_alone(cannot_save_up()); }
TEST(Progress, CountsFractionsOfASecond) { run_alone(rate_counts_in_fractions()); }
TEST(Progress, DoesNotOverflow) { run_alone(no_overflow_with_long_transfers()); }

}  // namespace
}  // namespace server
