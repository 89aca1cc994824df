// SPDX-License-Identifier: MIT
#include "server/respond/progress.hpp"

#include <gmock/gmock.h>

#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace server {
namespace {

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

csp::process client_takes(std::uint64_t bytes_a_stall, unsigned least_stalls, unsigned most_stalls)
{
    // The kernel accepted a megabyte at once and then nothing more; the client drains the queue slowly.
    constexpr std::uint64_t handed = 1'000'000;
    progress p(limits);
    p.add_accepted(handed);
    std::uint64_t queued = handed;
    unsigned lasted = 0;
    for (; queued >= bytes_a_stall && lasted < 1000; ++lasted) {
        co_await csp::sleep_until(p.next_deadline());
        if (!p.goes_on(queued)) break;
        queued -= bytes_a_stall;
    }
    EXPECT_GE(lasted, least_stalls);
    EXPECT_LE(lasted, most_stalls);
}

/// The kernel accepts more every few seconds, so no single wait for it lasts as long as `stall`.
csp::process client_takes_a_little_often(std::uint64_t bytes_a_second, bool is_enough)
{
    progress p(limits);
    std::uint64_t queued = 100'000;
    p.add_accepted(queued);
    bool goes_on = true;
    for (int i = 0; i < 100 && goes_on; ++i) {
        co_await csp::sleep(seconds(3));
        EXPECT_GT(p.next_deadline(), csp::core::here().now());
        p.add_accepted(3 * bytes_a_second);  // which made room for these bytes
        if (p.is_due()) goes_on = p.goes_on(queued);
    }
    EXPECT_EQ(goes_on, is_enough);
}

csp::process cannot_save_up()
{
    progress p(limits);
    p.add_accepted(1'000'000);  // three hours of the minimum rate, but the client must not stall
    EXPECT_EQ(p.next_deadline(), csp::core::here().now() + seconds(10));
    co_await csp::sleep(seconds(9));
    p.add_accepted(1);
    EXPECT_EQ(p.next_deadline(), csp::core::here().now() + seconds(10));
}

/// The server sends a piece every hour. The client takes what it has been sent before, at `bytes_a_stall`.
csp::process server_makes_pieces(std::uint64_t bytes_a_stall, bool is_enough)
{
    progress p(limits);
    std::uint64_t queued = 0;
    bool goes_on = true;
    for (int piece = 0; piece < 10 && goes_on; ++piece) {
        co_await csp::sleep(std::chrono::hours(1));
        p.resume();
        EXPECT_EQ(p.next_deadline(), csp::core::here().now() + seconds(10));
        p.add_accepted(10'000);
        queued = 10'000;
        while (queued >= bytes_a_stall && goes_on) {
            co_await csp::sleep_until(p.next_deadline());
            queued -= bytes_a_stall;
            goes_on = p.goes_on(queued);
        }
    }
    EXPECT_EQ(goes_on, is_enough);
}

void run_alone(csp::process&& p)
{
    csp::test_kernel k(1);
    k.start(std::move(p));
    EXPECT_THAT(k.run(), testing::IsEmpty());
}

TEST(Progress, HasAStallsTimeForTheFirstByte) { run_alone(nothing_gets_through()); }
TEST(Progress, GoesOnAsLongAsTheRateIsKept) { run_alone(client_takes(1000, 1000, 1000)); }
TEST(Progress, EndsBelowTheRate) { run_alone(client_takes(500, 2, 4)); }
TEST(Progress, EndsWhenNothingIsTakenForAStall) { run_alone(client_takes(0, 1, 1)); }
TEST(Progress, IsLookedAtThoughTheKernelTakesMore)
{
    run_alone(client_takes_a_little_often(100, true));
    run_alone(client_takes_a_little_often(60, false));
}
TEST(Progress, DoesNotCountTheTimeInWhichNothingIsSent)
{
    run_alone(server_makes_pieces(1000, true));
    run_alone(server_makes_pieces(500, false));
}
TEST(Progress, CannotBeSavedUp) { run_alone(cannot_save_up()); }

}  // namespace
}  // namespace server
