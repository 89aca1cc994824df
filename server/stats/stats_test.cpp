// SPDX-License-Identifier: MIT
#include "server/stats/stats.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "csp/ask.hpp"
#include "csp/bridge.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"
#include "server/stats/witness.hpp"

namespace server {
namespace {

using csp::for_seeds;
using csp::notebook;
using csp::test_kernel;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::IsEmpty;

constexpr unsigned back_ends = 3;
constexpr unsigned tallies_each = 4;

slow_request slow(milliseconds took)
{
    return {
        .took = took, .when = std::chrono::floor<seconds>(std::chrono::system_clock::now()), .status = 200, .text = {}};
}

csp::process back_end_of(unsigned number, csp::shared_out<tally> to_stats)
{
    for (unsigned i = 0; i < tallies_each; ++i) {
        tally t;
        t.exchanges = 1;
        t.content_bytes = 10;
        t.by_class[1] = 1;
        t.slow.add(slow(milliseconds(10 * number + i)));
        EXPECT_TRUE(co_await to_stats.output(std::move(t)));
        co_await csp::sleep(milliseconds(number));
    }
}

struct observed {
    std::vector<std::uint64_t> answered;  // what each question was told
    std::vector<milliseconds> slowest;    // of the last answer
    std::optional<tally> total;
};

csp::process asker(unsigned how_often, csp::bridge_out<figures_question> to_stats, notebook<observed> seen)
{
    for (unsigned i = 0; i < how_often; ++i) {
        const auto now = co_await csp::ask(to_stats, figures_question{});
        if (!now) co_return;  // stats has ended
        seen->answered.push_back(now->sum.exchanges);
        seen->slowest.clear();
        for (const slow_request& r : now->slow) {
            seen->slowest.push_back(std::chrono::duration_cast<milliseconds>(r.took));
        }
        co_await csp::sleep(milliseconds(2));
    }
}

csp::process takes_total(csp::in<tally> totals, notebook<observed> seen)
{
    seen->total = co_await totals.input();
    EXPECT_FALSE(co_await totals.input()) << "it is told once";
}

void begin(test_kernel& k, observed& seen, unsigned questions)
{
    csp::chan<tally> told, totals;
    csp::bridge<figures_question> asked(k.on());
    k.start(stats(told.rx(), asked.rx(), totals.tx()));
    k.start(takes_total(totals.rx(), notebook(seen)));
    for (unsigned i = 0; i < back_ends; ++i) k.start(back_end_of(i, told.shared_tx()));
    k.start(asker(questions, asked.tx(), notebook(seen)));
}

TEST(Stats, AddsUpWhatAllBackEndsTell)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        observed seen;
        begin(k, seen, 0);
        EXPECT_THAT(k.run(), IsEmpty());
        ASSERT_TRUE(seen.total);
        EXPECT_EQ(seen.total->exchanges, back_ends * tallies_each);
        EXPECT_EQ(seen.total->content_bytes, back_ends * tallies_each * 10);
        EXPECT_EQ(seen.total->by_class[1], back_ends * tallies_each);
    });
}

TEST(Stats, AnswersWhileItIsTold)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        observed seen;
        begin(k, seen, 5);
        EXPECT_THAT(k.run(), IsEmpty());
        ASSERT_TRUE(seen.total) << "an asker that has left does not hold up the end";
        EXPECT_LE(seen.answered.size(), 5U);
        EXPECT_TRUE(std::ranges::is_sorted(seen.answered)) << "no answer forgets what an earlier one knew";
        for (const std::uint64_t known : seen.answered) EXPECT_LE(known, back_ends * tallies_each);
    });
}

TEST(Stats, EndsWithItsBackEndsThoughSomebodyMayStillAsk)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        observed seen;
        csp::chan<tally> told, totals;
        csp::bridge<figures_question> asked(k.on());
        k.start(stats(told.rx(), asked.rx(), totals.tx()));
        k.start(takes_total(totals.rx(), notebook(seen)));
        k.start(back_end_of(0, told.shared_tx()));
        std::optional<csp::bridge_out<figures_question>> still_open(asked.tx());
        EXPECT_THAT(k.run(), IsEmpty());
        ASSERT_TRUE(seen.total);
        EXPECT_EQ(seen.total->exchanges, tallies_each);
        still_open.reset();
    });
}

TEST(Stats, KnowsTheSlowestOfAllCoresInTheirOrder)
{
    test_kernel k(1);
    observed seen;
    begin(k, seen, 20);
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_TRUE(std::ranges::is_sorted(seen.slowest, std::greater<>()));
}

// ---- the witness

csp::process parking_that_knows(parking_view view, csp::in<parking_question> questions)
{
    while (auto q = co_await questions.input()) {
        EXPECT_EQ(q->probe, nullptr) << "nobody asked for a probe";
        co_await q->answer.output(view);
    }
}

csp::process cache_that_knows(cache_view view, csp::in<cache_question> questions)
{
    while (auto q = co_await questions.input()) co_await q->answer.output(view);
}

csp::process asks(unsigned how_often, csp::bridge_out<core_question> to_witness, notebook<std::vector<core_view>> seen)
{
    std::vector<csp::bridge_out<core_question>> all{to_witness};
    for (unsigned i = 0; i < how_often; ++i) {
        auto views = co_await ask_all(all);
        EXPECT_EQ(views.size(), 1U);
        seen->push_back(std::move(views.front()));
    }
}

/// Starts a witness with a cache that keeps five pages, and so many that ask it twice each.
void begin_witness(test_kernel& k, csp::shared_out<parking_question> to_parking, unsigned askers,
                   std::vector<core_view>& seen)
{
    csp::chan<cache_question> to_cache;
    csp::bridge<core_question> asked(k.on());
    k.start(cache_that_knows({.kept = 5, .first_kept = {}, .first_competing = {}}, to_cache.rx()));
    k.start(witness(asked.rx(), std::move(to_parking), to_cache.tx()));
    for (unsigned i = 0; i < askers; ++i) k.start(asks(2, asked.tx(), notebook(seen)));
}

TEST(Witness, TellsEachAskerWhatParkingAndTheCacheSay)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        std::vector<core_view> seen;
        csp::chan<parking_question> to_parking;
        k.start(parking_that_knows({.accepted = 7, .parked = 3, .under_way = 2}, to_parking.rx()));
        begin_witness(k, to_parking.shared_tx(), 3, seen);
        EXPECT_THAT(k.run(), IsEmpty()) << "it ends when all that ask have ended, and parking and the cache after it";
        ASSERT_EQ(seen.size(), 6U);
        for (const core_view& v : seen) {
            EXPECT_EQ(v.connections.accepted, 7U);
            EXPECT_EQ(v.connections.parked, 3U);
            EXPECT_EQ(v.cache.kept, 5U);
            EXPECT_FALSE(v.answers) << "nothing was probed";
            EXPECT_THAT(v.processes, testing::Not(IsEmpty()));
        }
    });
}

TEST(Witness, GivesAnEmptyViewOfAParkingThatHasEnded)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        std::vector<core_view> seen;
        csp::chan<parking_question> to_parking;
        {
            const auto closed = to_parking.rx();
        }
        begin_witness(k, to_parking.shared_tx(), 1, seen);
        EXPECT_THAT(k.run(), IsEmpty());
        ASSERT_EQ(seen.size(), 2U);
        for (const core_view& v : seen) {
            EXPECT_EQ(v.connections.accepted, 0U);
            EXPECT_EQ(v.cache.kept, 5U);
        }
    });
}

}  // namespace
}  // namespace server
