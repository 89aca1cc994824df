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
    detail::family all;
    std::vector<in<int>> ends;
    std::vector<chan<int>> channels(writers);
    for (auto& c : channels) {
        ends.push_back(c.rx());
        detail::start(writes_for_ever(c.tx()), all);
    }
    detail::start(counts_draws(std::move(ends), draws, notebook(taken), notebook(longest)), all);
    while (one.run_round()) {
    }
    EXPECT_EQ(one.population(), 0U);
    for (std::size_t i = 0; i < writers; ++i) {
        EXPECT_NEAR(taken[i], rounds, 330);
        // A run of turns ends now and then, and the next begins anywhere.
        EXPECT_LT(longest[i], static_cast<int>(writers) * 2);
    }
}

TEST(FairAlt, GivesEachItsTurn)
{
    draw_many(2);
    draw_many(8);
    draw_many(13);
    draw_many(100);
}

step<std::size_t> takes_one_of(in<int>& a, in<int>& b)
{
    const auto chosen = co_await fair_alt(a, b);
    if (chosen == a) {
        co_await a.input();
    } else {
        co_await b.input();
    }
    co_return chosen.position();
}
process mixes_two_alts_up(in<int> common, in<int> second, in<int> third, notebook<std::array<int, 2>> taken)
{
    for (int i = 0; i < 4000; ++i) {
        co_await yield();
        (*taken)[0] += static_cast<int>(co_await takes_one_of(common, second));
        co_await yield();
        (*taken)[1] += static_cast<int>(co_await takes_one_of(common, third));
    }
}

// The core cannot tell these two from each other. Each sets the place of the other so that one guard of it would never
// have its turn, if choices did not begin anywhere now and then.
TEST(FairAlt, StarvesNobodyWhenTwoAltsAreTakenForOne)
{
    std::array<int, 2> taken{};
    core one({.virtual_time = true, .seed = 42});
    const core::residence here(one);
    detail::family all;
    std::vector<chan<int>> channels(3);
    for (auto& c : channels) detail::start(writes_for_ever(c.tx()), all);
    detail::start(mixes_two_alts_up(channels[0].rx(), channels[1].rx(), channels[2].rx(), notebook(taken)), all);
    while (one.run_round()) {
    }
    EXPECT_GT(taken[0], 1000);
    EXPECT_GT(taken[1], 1000);
}

process notes_first_choice(in<int> a, in<int> b, in<int> c, notebook<std::array<int, 3>> taken)
{
    co_await sleep(seconds(1));
    const auto chosen = co_await fair_alt(a, b, c);
    ++(*taken)[chosen.position()];
}

TEST(FairAlt, DrawsUnderTheTestKernel)
{
    std::array<int, 3> taken{};
    for_seeds(600, [&](std::uint64_t seed) {
        test_kernel k(seed);
        std::vector<chan<int>> channels(3);
        for (auto& c : channels) k.start(writes(1, c.tx()));
        k.start(notes_first_choice(channels[0].rx(), channels[1].rx(), channels[2].rx(), notebook(taken)));
        EXPECT_THAT(k.run(), IsEmpty());
    });
    for (const int t : taken) EXPECT_NEAR(t, 200, 60);
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
    detail::family all;
    std::vector<in<int>> ends;
    std::vector<chan<int>> channels(3);
    for (auto& ch : channels) detail::start(writes_for_ever(ch.tx()), all);
    ends.push_back(channels[0].rx());
    ends.push_back(channels[1].rx());
    detail::start(draws_among_mixed(std::move(ends), channels[2].rx(), 16000, notebook(taken)), all);
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

process takes_while_open(in<int> values, in<int> stops, notebook<diary> d)
{
    for (;;) {
        const auto chosen = co_await pri_alt(while_open(values), stops);
        if (chosen == stops) co_return;
        const auto value = co_await values.input();
        d->push_back(value ? std::to_string(*value) : "closed");
    }
}

TEST(WhileOpen, PassesOverAnInputFromItsClosingOn)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> values;
        chan<int> stops;
        k.start(takes_while_open(values.rx(), stops.rx(), notebook(d)));
        k.start(writes(3, values.tx()));
        k.start(writes_at(seconds(1), stops.tx()));
        EXPECT_THAT(k.run_for(seconds(0)), testing::SizeIs(2));  // it waits for stops, and does not go round and round
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("0", "1", "2"));
    });
}

TEST(WhileOpen, PassesOverAnAbsentInput)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> stops;
        k.start(takes_while_open(in<int>(), stops.rx(), notebook(d)));
        k.start(writes_at(seconds(1), stops.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, IsEmpty());
    });
}

process closes_at(duration when, out<int> /*to_reader*/) { co_await sleep(when); }

TEST(WhileOpen, IsNotWokenByTheClosing)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> values;
        chan<int> stops;
        const auto silent = stops.tx();
        k.start(takes_while_open(values.rx(), stops.rx(), notebook(d)));
        k.start(closes_at(seconds(1), values.tx()));
        const auto waits = k.run();
        ASSERT_THAT(waits, testing::SizeIs(1));
        EXPECT_EQ(waits[0].state, wait::alternative);
        EXPECT_THAT(d, IsEmpty());
    });
}

process takes_when_open(bool allowed, in<int> values, in<int> other, notebook<diary> d)
{
    co_await sleep(seconds(1));
    auto guarded = while_open(values);
    const auto chosen = co_await fair_alt(when(allowed, guarded), while_open(other));
    d->push_back(chosen == values ? "values" : "other");
}

TEST(WhileOpen, CanHaveAConditionToo)
{
    for_seeds(200, [](std::uint64_t seed) {
        for (const bool allowed : {true, false}) {
            diary d;
            test_kernel k(seed);
            chan<int> values;
            chan<int> other;
            k.start(takes_when_open(allowed, values.rx(), other.rx(), notebook(d)));
            k.start(writes(1, values.tx()));
            k.start(writes_at(seconds(2), other.tx()));
            EXPECT_THAT(k.run(), IsEmpty());
            EXPECT_THAT(d, ElementsAre(allowed ? "values" : "other"));
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
