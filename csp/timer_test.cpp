// SPDX-License-Identifier: MIT
#include "csp/timer.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <vector>

#include <gmock/gmock.h>

#include "csp/test_support.hpp"

namespace csp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

process notes_at(duration when, int who, notebook<std::vector<int>> order)
{
    co_await sleep(when);
    order->push_back(who);
}

TEST(Sleep, WakesInTheOrderOfTime)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> order;
        test_kernel k(seed);
        for (const int i : {5, 2, 4, 1, 3}) k.start(notes_at(seconds(i), i, notebook(order)));
        k.run_for(milliseconds(2999));
        EXPECT_THAT(order, ElementsAre(1, 2));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(order, ElementsAre(1, 2, 3, 4, 5));
    });
}

process sleeps_until(time_point t) { co_await sleep_until(t); }

TEST(Sleep, OfNothingOrIntoThePastDoesNotWait)
{
    test_kernel k(1);
    std::vector<int> order;
    k.start(notes_at(seconds(0), 0, notebook(order)));
    k.start(notes_at(seconds(-1), 1, notebook(order)));
    k.start(sleeps_until(k.on().now() - seconds(1)));
    EXPECT_THAT(k.run_until_quiescent(), IsEmpty());
}

process sleeps_after_working(notebook<duration> slept)
{
    // No timer is pending while the process works, so nobody had a reason to look at the clock.
    const auto begin = std::chrono::steady_clock::now();
    auto before = begin;
    for (auto now = begin; now - begin < milliseconds(20); now = std::chrono::steady_clock::now()) {
        before = now;
        co_await yield();
    }
    co_await sleep(milliseconds(10));
    *slept = std::chrono::steady_clock::now() - before;
}

TEST(Sleep, CountsFromNowHoweverLongNobodySlept)
{
    duration slept{0};
    core c({});
    const core::residence here(c);
    detail::family all;
    detail::start(sleeps_after_working(notebook(slept)), all);
    while (c.population() > 0) c.run_round();
    EXPECT_GE(slept, milliseconds(10));  // from the last round on: the clock is read once in each
}

struct probe : timer {
    probe() : timer([](timer& t) noexcept { expired.push_back(static_cast<probe&>(t).value); }) {}
    static inline std::vector<int> expired;
    int value = 0;
};

TEST(TimerQueue, HoldsAHundredThousandInOrderAndForgetsTheCancelled)
{
    constexpr int how_many = 100'000;
    core c({.virtual_time = true});
    const core::residence here(c);
    std::mt19937 random(1);
    std::vector<std::unique_ptr<probe>> probes;
    probe::expired.clear();
    for (int i = 0; i < how_many; ++i) {
        probes.push_back(std::make_unique<probe>());
        probes.back()->value = static_cast<int>(random() % 50'000);
        c.timers().set(*probes.back(), time_point(milliseconds(probes.back()->value)));
    }
    // Half are taken back, some by their own end, in no order.
    std::ranges::shuffle(probes, random);
    for (std::size_t i = 0; i < how_many / 4; ++i) c.timers().cancel(*probes[i]);
    probes.erase(probes.begin() + how_many / 4, probes.begin() + how_many / 2);
    EXPECT_FALSE(probes.front()->pending());
    EXPECT_TRUE(probes.back()->pending());

    int latest = 0;
    for (const auto& p : probes) latest = std::max(latest, p->value);
    const int half = latest / 2;
    c.timers().expire(time_point(milliseconds(half)));
    EXPECT_TRUE(std::ranges::all_of(probe::expired, [half](int v) { return v <= half; }));
    c.timers().expire(time_point(milliseconds(latest)));
    EXPECT_EQ(probe::expired.size(), static_cast<std::size_t>(how_many) / 2);
    EXPECT_TRUE(std::ranges::is_sorted(probe::expired));
    EXPECT_TRUE(c.timers().empty());
}

TEST(TimerQueue, EqualMomentsExpireInTheOrderTheyWereSet)
{
    core c({.virtual_time = true});
    const core::residence here(c);
    std::vector<std::unique_ptr<probe>> probes;
    probe::expired.clear();
    for (int i = 0; i < 1000; ++i) {
        probes.push_back(std::make_unique<probe>());
        probes.back()->value = i;
        c.timers().set(*probes.back(), time_point(seconds(1)));
    }
    c.timers().expire(time_point(seconds(1)));
    EXPECT_EQ(probe::expired.size(), 1000U);
    EXPECT_TRUE(std::ranges::is_sorted(probe::expired));
}

TEST(Sleep, AHundredThousandSleepersWakeUnderTheTestKernel)
{
    std::vector<int> order;
    test_kernel k(1);
    for (int i = 0; i < 100'000; ++i) k.start(notes_at(milliseconds(i * 7919 % 100'003), i, notebook(order)));
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_EQ(order.size(), 100'000U);
}

}  // namespace
}  // namespace csp
