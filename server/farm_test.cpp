// SPDX-License-Identifier: MIT
#include "server/farm.hpp"

#include <optional>
#include <set>

#include <gmock/gmock.h>

#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace server {
namespace {

using csp::for_seeds;
using csp::notebook;
using csp::test_kernel;
using std::chrono::seconds;
using testing::IsEmpty;

struct job {
    int number = 0;
    csp::duration takes{0};
};

struct observed {
    int forked = 0;
    int ended = 0;
    std::multiset<int> done;
    [[nodiscard]] int living() const { return forked - ended; }
};

csp::process worker(seat farm, csp::shared_in<job> jobs, notebook<observed> seen)
{
    while (auto j = co_await jobs.input()) {
        co_await farm.reports.output(idle::less);
        co_await csp::sleep(j->takes);
        seen->done.insert(j->number);
        co_await farm.reports.output(idle::more);
        if (co_await farm.orders.input() == order::leave) {
            ++seen->ended;
            co_return;
        }
    }
    ++seen->ended;
    co_await farm.reports.output(idle::over);
}

csp::process farm(std::size_t spare, csp::shared_in<job> jobs, notebook<observed> seen)
{
    csp::forking workers;
    co_await keep_idle(spare, [&](const seat& s) {
        ++seen->forked;
        workers.start(worker(s, jobs, seen));
    });
}

csp::process gives(int first, int how_many, csp::duration takes, csp::duration pause, csp::shared_out<job> to_farm)
{
    for (int i = first; i < first + how_many; ++i) {
        EXPECT_TRUE(co_await to_farm.output({.number = i, .takes = takes}));
        if (pause > csp::duration(0)) co_await csp::sleep(pause);
    }
}

TEST(Farm, HasItsSpareWorkersBeforeThereIsWork)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        observed seen;
        csp::chan<job> jobs;
        std::optional<csp::shared_out<job>> open(jobs.shared_tx());
        k.start(farm(4, jobs.shared_rx(), notebook(seen)));
        k.run_until_quiescent();
        EXPECT_EQ(seen.forked, 4);
        EXPECT_EQ(seen.living(), 4);
        open.reset();
        EXPECT_THAT(k.run_until_quiescent(), IsEmpty());
        EXPECT_EQ(seen.forked, 4) << "none is forked for a farm that is over";
        EXPECT_EQ(seen.living(), 0);
    });
}

TEST(Farm, TakesAllTheWorkThatComesAndStaysAhead)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        observed seen;
        csp::chan<job> jobs;
        k.start(farm(3, jobs.shared_rx(), notebook(seen)));
        k.start(gives(0, 20, seconds(60), {}, jobs.shared_tx()));
        k.start(gives(20, 20, seconds(60), {}, jobs.shared_tx()));
        std::optional<csp::shared_out<job>> open(jobs.shared_tx());
        k.run_until_quiescent();
        EXPECT_EQ(seen.forked, 43) << "forty at work, three spare";
        EXPECT_TRUE(seen.done.empty());
        k.run_for(seconds(61));
        EXPECT_EQ(seen.done.size(), 40U);
        EXPECT_EQ(std::set<int>(seen.done.begin(), seen.done.end()).size(), 40U);
        open.reset();
        EXPECT_THAT(k.run_until_quiescent(), IsEmpty());
        EXPECT_EQ(seen.living(), 0);
    });
}

TEST(Farm, LetsGoOfWorkersThatWereNotNeededForAPeriod)
{
    for_seeds(50, [](std::uint64_t seed) {
        test_kernel k(seed);
        observed seen;
        csp::chan<job> jobs;
        k.start(farm(4, jobs.shared_rx(), notebook(seen)));
        k.start(gives(0, 30, seconds(1), {}, jobs.shared_tx()));
        std::optional<csp::shared_out<job>> open(jobs.shared_tx());
        k.run_for(seconds(5));
        EXPECT_EQ(seen.living(), 34);
        k.start(gives(30, 100, std::chrono::milliseconds(1), seconds(1), jobs.shared_tx()));
        k.run_for(seconds(8));
        EXPECT_EQ(seen.living(), 34) << "the period is not over";
        k.run_for(seconds(95));
        EXPECT_GE(seen.living(), 4);
        EXPECT_LE(seen.living(), 6);
        EXPECT_EQ(seen.done.size(), 130U);
        open.reset();
        EXPECT_THAT(k.run_until_quiescent(), IsEmpty());
    });
}

TEST(Farm, EndsWhenTheWorkChannelClosesWithWorkUnderWay)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        observed seen;
        csp::chan<job> jobs;
        k.start(farm(2, jobs.shared_rx(), notebook(seen)));
        k.start(gives(0, 7, seconds(3), std::chrono::milliseconds(100), jobs.shared_tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(seen.done.size(), 7U);
        EXPECT_EQ(seen.living(), 0);
    });
}

TEST(IdleCount, FirstPeriodLetsNobodyGo)
{
    idle_count count(1);
    for (int i = 0; i < 5; ++i) count.forked();
    const csp::time_point start = csp::time_point() + seconds(100);
    for (int i = 0; i < 9; ++i) {
        count.less();
        EXPECT_EQ(count.more(start + seconds(i)), order::stay);
    }
}

TEST(IdleCount, TheFewestIdleOfAPeriodAreTheSurplusOfTheNext)
{
    idle_count count(1);
    for (int i = 0; i < 5; ++i) count.forked();
    const csp::time_point start = csp::time_point() + seconds(100);
    count.less();
    EXPECT_EQ(count.more(start), order::stay);  // the minimum of the period that begins here is 4
    int left = 0;
    for (int i = 0; i < 10; ++i) {
        count.less();
        left += count.more(start + seconds(11)) == order::leave ? 1 : 0;
    }
    EXPECT_EQ(left, 3);
    EXPECT_FALSE(count.too_few());
}

}  // namespace
}  // namespace server
