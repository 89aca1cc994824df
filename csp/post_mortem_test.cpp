// SPDX-License-Identifier: MIT
#include "csp/post_mortem.hpp"

#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "csp/alt.hpp"
#include "csp/barrier.hpp"
#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/par.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

process listener(in<int> values) { co_await values.input(); }
constexpr int line_of_listener = __LINE__ - 1;
process speaker(out<int> to_reader) { co_await to_reader.output(1); }
process chooser(in<int> a, in<int> b) { co_await pri_alt(a, b); }
process holder(in<int> values) { auto held = co_await values.extended_input(); }
process claimant(shared_out<int> to_reader)
{
    auto turn = co_await to_reader.claim();
    co_await turn.output(1);
}
process sleeper() { co_await sleep(std::chrono::hours(1)); }
process meeter(barrier b) { co_await b.sync(); }
process speaks_twice(out<int> a, out<int> b) { co_await par(a.output(1), b.output(2)); }
process parent(in<int> values) { co_await par(listener(std::move(values))); }

TEST(PostMortem, TellsWhoWaitsForWhatAndWhere)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<chan<int>> c(8);
        test_kernel k(seed);
        const auto to_listener = c[0].tx();
        k.start(parent(c[0].rx()));
        k.run_until_quiescent();

        const auto all = census(k.on());
        ASSERT_EQ(all.size(), 2U);
        EXPECT_EQ(all[0].name, "parent");
        EXPECT_EQ(all[0].state, wait::join);
        EXPECT_EQ(all[0].waits_for, "the end of 1 processes");
        EXPECT_EQ(all[0].parent, std::nullopt);
        EXPECT_EQ(all[1].name, "listener");
        EXPECT_EQ(all[1].parent, all[0].number);
        EXPECT_EQ(all[1].state, wait::input);
        EXPECT_EQ(all[1].where.line(), line_of_listener);
        EXPECT_THAT(all[1].waits_for, HasSubstr("input from the channel made at"));
        EXPECT_THAT(all[1].waits_for, HasSubstr("not yet written"));
        EXPECT_THAT(k.post_mortem(), HasSubstr(fmt::format("post_mortem_test.cpp:{}", line_of_listener)));
        EXPECT_THAT(k.post_mortem(), Not(HasSubstr("each waits for the next")));
    });
}

TEST(PostMortem, HasWordsForEveryWait)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<chan<int>> c(9);
        test_kernel k(seed);
        barrier held;
        std::vector<in<int>> readers;
        std::vector<out<int>> writers;
        chan<int> own;
        readers.push_back(own.rx());
        k.start(speaker(own.tx()).named("a speaker"));
        for (const std::size_t i : {1U, 2U}) writers.push_back(c[i].tx());
        k.start(chooser(c[1].rx(), c[2].rx()));
        writers.push_back(c[3].tx());
        k.start(holder(c[3].rx()));
        readers.push_back(c[4].rx());
        for (int i = 0; i < 2; ++i) {
            k.start(claimant(c[4].shared_tx()));
        }
        k.start(sleeper());
        k.start(meeter(held));
        readers.push_back(c[5].rx());
        readers.push_back(c[6].rx());
        k.start(speaks_twice(c[5].tx(), c[6].tx()));
        k.run_until_quiescent();
        const std::string table = k.post_mortem();
        EXPECT_THAT(table, HasSubstr("a speaker"));
        EXPECT_THAT(table, HasSubstr("output to the channel made at post_mortem_test.cpp:"));
        EXPECT_THAT(table, HasSubstr("one of several inputs"));
        EXPECT_THAT(table, HasSubstr("its turn at the channel made at"));
        EXPECT_THAT(table, HasSubstr("a moment"));
        EXPECT_THAT(table, HasSubstr("the others at the barrier made at post_mortem_test.cpp:"));
        EXPECT_THAT(table, HasSubstr("several outputs at once"));
    });
}

process passes_round(in<int> from_left, out<int> to_right)
{
    // Once round to make acquaintance; then everybody listens and nobody speaks.
    co_await par(to_right.output(1));
    co_await from_left.input();
    co_await from_left.input();
}
process first_of_ring(in<int> from_left, out<int> to_right)
{
    co_await from_left.input();
    co_await to_right.output(1);
    co_await from_left.input();
}

TEST(PostMortem, FindsTheRingInWhichEachWaitsForTheNext)
{
    for_seeds(200, [](std::uint64_t seed) {
        constexpr std::size_t length = 5;
        std::vector<chan<int>> c(length);
        test_kernel k(seed);
        k.start(first_of_ring(c[length - 1].rx(), c[0].tx()).named("the first"));
        for (std::size_t i = 1; i < length; ++i) k.start(passes_round(c[i - 1].rx(), c[i].tx()));
        k.start(sleeper());
        k.run_until_quiescent();
        EXPECT_EQ(cycle_of_waits(k.on()).size(), length);
        const std::string table = k.post_mortem();
        EXPECT_THAT(table, HasSubstr("each waits for the next:"));
        EXPECT_THAT(table.substr(table.find("each waits")), HasSubstr("the first"));
        EXPECT_THAT(table.substr(table.find("each waits")), HasSubstr("passes_round"));
    });
}

TEST(PostMortem, ManyOfAKindAreOneRow)
{
    std::vector<chan<int>> c(1500);
    std::vector<out<int>> writers;
    test_kernel k(1);
    for (auto& each : c) {
        writers.push_back(each.tx());
        k.start(listener(each.rx()));
    }
    k.run_until_quiescent();
    EXPECT_THAT(k.post_mortem(), HasSubstr("(and 1499 more like it)"));
}

}  // namespace
}  // namespace csp
