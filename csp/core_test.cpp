// SPDX-License-Identifier: MIT
#include "csp/core.hpp"

#include <array>
#include <vector>

#include <gmock/gmock.h>

#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

TEST(RandomBelow, IsUniformAndComesFromTheSeed)
{
    core a({.seed = 5});
    core b({.seed = 5});
    std::array<int, 7> drawn{};
    for (int i = 0; i < 70'000; ++i) {
        const auto d = a.random_below(7);
        EXPECT_EQ(d, b.random_below(7));
        ++drawn[d];
    }
    for (const int n : drawn) EXPECT_NEAR(n, 10'000, 500);
}

process writes_down(int who, int times, notebook<std::vector<int>> order)
{
    for (int i = 0; i < times; ++i) {
        order->push_back(who);
        co_await yield();
    }
}

std::vector<int> order_under(std::uint64_t seed)
{
    std::vector<int> order;
    test_kernel k(seed);
    for (int who = 0; who < 4; ++who) k.start(writes_down(who, 3, notebook(order)));
    k.run();
    return order;
}

TEST(TestKernel, RepeatsAnOrderUnderItsSeedAndMeetsOthersUnderOthers)
{
    EXPECT_EQ(order_under(3), order_under(3));
    std::vector<std::vector<int>> met;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) met.push_back(order_under(seed));
    std::ranges::sort(met);
    EXPECT_GT(std::ranges::unique(met).begin() - met.begin(), 40);
}

TEST(Core, RunsInTurnWithoutASeed)
{
    std::vector<int> order;
    core c({.virtual_time = true});
    const core::residence here(c);
    detail::family all;
    for (int who = 0; who < 3; ++who) detail::start(writes_down(who, 2, notebook(order)), all);
    EXPECT_EQ(c.population(), 3U);
    while (c.run_round()) {
    }
    EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 0, 1, 2));
    EXPECT_EQ(c.population(), 0U);
    EXPECT_EQ(c.started(), 3U);
}

}  // namespace
}  // namespace csp
