// SPDX-License-Identifier: MIT
#include "csp/alt.hpp"

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

using diary = std::vector<std::string>;

process writes(int how_many, out<int> to_reader)
{
    for (int i = 0; i < how_many; ++i) {
        if (!co_await to_reader.output(i)) co_return;
    }
}
process writes_for_ever(out<int> to_reader)
{
    while (co_await to_reader.output(0)) {
    }
}
process writes_at(duration when, out<int> to_reader)
{
    co_await sleep(when);
    co_await to_reader.output(0);
}

// The order in which an ALT took what had been waiting when it began.
process prefers_the_first(in<int> first, in<int> second, notebook<diary> d)
{
    co_await sleep(seconds(1));
    for (int i = 0; i < 4; ++i) {
        auto chosen = co_await pri_alt(first, second);
        if (chosen == first) {
            d->push_back(co_await first.input() ? "first" : "first closed");
            EXPECT_EQ(chosen.position(), 0U);
            EXPECT_FALSE(chosen == second);
        } else {
            d->push_back(co_await second.input() ? "second" : "second closed");
            EXPECT_EQ(chosen.position(), 1U);
        }
        co_await sleep(seconds(1));
    }
}

TEST(PriAlt, TakesTheFirstThatIsReady)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> first;
        chan<int> second;
        k.start(prefers_the_first(first.rx(), second.rx(), notebook(d)));
        k.start(writes_for_ever(second.tx()));
        k.start(writes(2, first.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        // Once its writer has ended the first is closed, and so it stays ready.
        EXPECT_THAT(d, ElementsAre("first", "first", "first closed", "first closed"));
    });
}

process waits_for_either(in<int> first, in<int> second, notebook<diary> d)
{
    auto a = co_await pri_alt(first, second);
    d->push_back(a == first ? "first" : "second");
    if (a == first) {
        co_await first.input();
    } else {
        co_await second.input();
    }
    // An ALT leaves nothing behind: what was not chosen is still there.
    auto b = co_await pri_alt(first, second);
    d->push_back(b == first ? "first" : "second");
}

TEST(PriAlt, IsWokenByTheFirstThatComes)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> first;
        chan<int> second;
        k.start(waits_for_either(first.rx(), second.rx(), notebook(d)));
        k.start(writes_at(seconds(2), first.tx()));
        k.start(writes_at(seconds(1), second.tx()));
        k.run_for(seconds(1));
        EXPECT_THAT(d, testing::Contains("second"));
        EXPECT_THAT(k.run(), IsEmpty());
    });
}

process counts_draws(std::vector<in<int>> busy, int draws, notebook<std::vector<int>> taken,
                     notebook<std::vector<int>> longest_wait)
{
    std::vector<int> last(busy.size(), 0);
    for (int draw = 1; draw <= draws; ++draw) {
        co_await yield();
        auto chosen = co_await fair_alt(busy);
        const std::size_t who = chosen.position();
        EXPECT_TRUE(chosen == busy[who]);
        co_await busy[who].input();
        ++(*taken)[who];
        (*longest_wait)[who] = std::max((*longest_wait)[who], draw - std::exchange(last[who], draw));
    }
}

void draw_many(std::size_t writers)
{
    constexpr int rounds = 4000;
    std::vector<int> taken(writers);
    std::vector<int> longest(writers);
    const int draws = rounds * static_cast<int>(writers);
    // FIFO and not shuffled, so that every writer is back at its channel when the next choice is made.
    core one({.virtual_time = true, .seed = 42});
    const core::residence here(one);
    family all;
    std::vector<in<int>> ends;
    std::vector<chan<int>> channels(writers);
    for (auto& c : channels) {
        ends.push_back(c.rx());
        start(writes_for_ever(c.tx()), all);
    }
    start(counts_draws(std::move(ends), draws, notebook(taken), notebook(longest)), all);
    while (one.run_round()) {
    }
    EXPECT_EQ(one.population(), 0U);
    for (std::size_t i = 0; i < writers; ++i) {
        // Of a binomial distribution with mean 4000: 5 standard deviations are at most 317.
        EXPECT_NEAR(taken[i], rounds, 330);
        // Passed over n ln(n draws) times and some: chance below 1 in 10 000.
        EXPECT_LT(longest[i], static_cast<int>(writers) * 26);
    }
}

TEST(FairAlt, DrawsUniformlyAndStarvesNobody)
{
    draw_many(2);
    draw_many(8);
    draw_many(13);
    draw_many(100);
}

process draws_among_mixed(std::vector<in<int>> some, in<int> one, int draws, notebook<std::array<int, 4>> taken)
{
    for (int i = 0; i < draws; ++i) {
        co_await yield();
        auto chosen = co_await fair_alt(some, skip, one);
        ++(*taken)[chosen.position()];
        if (chosen == one) {
            co_await one.input();
        } else if (chosen != skip) {
            co_await some[chosen.position()].input();
        }
    }
}

TEST(FairAlt, CountsEachElementOfARangeAsOneGuard)
{
    std::array<int, 4> taken{};
    core c({.virtual_time = true, .seed = 7});
    const core::residence here(c);
    family all;
    std::vector<in<int>> ends;
    std::vector<chan<int>> channels(3);
    for (auto& ch : channels) start(writes_for_ever(ch.tx()), all);
    ends.push_back(channels[0].rx());
    ends.push_back(channels[1].rx());
    start(draws_among_mixed(std::move(ends), channels[2].rx(), 16000, notebook(taken)), all);
    while (c.run_round()) {
    }
    for (const int t : taken) EXPECT_NEAR(t, 4000, 330);
}

process takes_only_when(bool allowed, in<int> guarded, in<int> other, notebook<diary> d)
{
    co_await sleep(seconds(1));
    auto chosen = co_await pri_alt(when(allowed, guarded), other);
    d->push_back(chosen == guarded ? "guarded" : "other");
}

TEST(When, HidesAGuardWhoseConditionIsFalse)
{
    for_seeds(200, [](std::uint64_t seed) {
        for (const bool allowed : {true, false}) {
            diary d;
            test_kernel k(seed);
            chan<int> guarded;
            chan<int> other;
            k.start(takes_only_when(allowed, guarded.rx(), other.rx(), notebook(d)));
            k.start(writes(1, guarded.tx()));
            k.start(writes_at(seconds(2), other.tx()));
            EXPECT_THAT(k.run(), IsEmpty());
            EXPECT_THAT(d, ElementsAre(allowed ? "guarded" : "other"));
        }
    });
}

process waits_when(bool patient, in<int> values, notebook<diary> d)
{
    const timeout late = after(seconds(5));
    auto chosen = co_await pri_alt(values, when(!patient, late));
    d->push_back(chosen == late ? "late" : "input");
}

TEST(When, GuardsATimeoutToo)
{
    for (const bool patient : {true, false}) {
        diary d;
        test_kernel k(1);
        chan<int> values;
        k.start(waits_when(patient, values.rx(), notebook(d)));
        k.start(writes_at(seconds(7), values.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre(patient ? "input" : "late"));
    }
}

process polls(in<int> values, notebook<diary> d)
{
    for (int i = 0; i < 3; ++i) {
        auto chosen = co_await pri_alt(values, skip);
        if (chosen == values) {
            d->push_back(co_await values.input() ? "input" : "closed");
        } else {
            EXPECT_TRUE(chosen == skip);
            d->push_back("nothing");
        }
        co_await sleep(seconds(2));
    }
}

TEST(Skip, IsTakenWhenNothingElseIsReady)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> values;
        k.start(polls(values.rx(), notebook(d)));
        k.start(writes_at(seconds(1), values.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("nothing", "input", "closed"));
    });
}

process reads_with_patience(in<int> values, notebook<diary> d)
{
    for (;;) {
        const timeout late = after(seconds(3));
        auto chosen = co_await pri_alt(values, late);
        if (chosen == late) {
            d->push_back("late");
            continue;
        }
        if (!co_await values.input()) co_return;
        d->push_back("in time");
    }
}

TEST(Timeout, ComesWhenNothingElseDoes)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> values;
        k.start(reads_with_patience(values.rx(), notebook(d)));
        k.start(writes_at(seconds(8), values.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("late", "late", "in time"));
        EXPECT_TRUE(k.on().timers().empty());  // the timeout that lost was taken back
    });
}

TEST(Alt, AClosedChannelIsReady)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> first;
        chan<int> second;
        auto open = second.tx();
        k.start(waits_for_either(first.rx(), second.rx(), notebook(d)));
        k.run();
        EXPECT_THAT(d, IsEmpty());
        {
            const auto closes = first.tx();
        }
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("first", "first"));
    });
}

process merges(std::vector<in<int>> sources, notebook<std::vector<int>> seen)
{
    while (!sources.empty()) {
        auto chosen = co_await fair_alt(sources);
        const auto from = sources.begin() + static_cast<std::ptrdiff_t>(chosen.position());
        if (auto v = co_await from->input()) {
            seen->push_back(*v);
        } else {
            sources.erase(from);
        }
    }
}

TEST(Alt, OverARangeMergesUntilAllHaveClosed)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        std::vector<chan<int>> channels(5);
        std::vector<in<int>> ends;
        for (auto& c : channels) {
            ends.push_back(c.rx());
            k.start(writes(4, c.tx()));
        }
        k.start(merges(std::move(ends), notebook(seen)));
        EXPECT_THAT(k.run(), IsEmpty());
        std::ranges::sort(seen);
        EXPECT_THAT(seen, ElementsAre(0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3));
    });
}

// An ALT in the branch of an ALT, and over the guard that was chosen.
process chooses_twice(in<int> a, in<int> b, in<int> c, notebook<diary> d)
{
    auto outer = co_await pri_alt(a, b, c);
    if (outer == c) {
        auto inner = co_await pri_alt(b, c);
        d->push_back(inner == b ? "b" : "c");
        co_await c.input();
        auto after_that = co_await pri_alt(a, c);
        d->push_back(after_that == a ? "a" : "c closed");
    }
}

TEST(Alt, Nests)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> a;
        chan<int> b;
        chan<int> c;
        const auto silent_a = a.tx();
        const auto silent_b = b.tx();
        k.start(chooses_twice(a.rx(), b.rx(), c.rx(), notebook(d)));
        k.start(writes(1, c.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("c", "c closed"));
    });
}

step<int> first_of(in<int>& a, in<int>& b)
{
    auto chosen = co_await fair_alt(a, b);
    auto v = chosen == a ? co_await a.input() : co_await b.input();
    co_return v.value_or(-1);
}
process reads_through_steps(in<int> a, in<int> b, notebook<int> sum)
{
    for (int i = 0; i < 200; ++i) *sum += co_await first_of(a, b);
}

TEST(Alt, WorksInsideAStep)
{
    for_seeds(200, [](std::uint64_t seed) {
        int sum = 0;
        test_kernel k(seed);
        chan<int> a;
        chan<int> b;
        k.start(reads_through_steps(a.rx(), b.rx(), notebook(sum)));
        k.start(writes_for_ever(a.tx()));
        k.start(writes_for_ever(b.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(sum, 0);
    });
}

}  // namespace
}  // namespace csp
