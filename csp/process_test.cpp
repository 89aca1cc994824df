// SPDX-License-Identifier: MIT
#include "csp/process.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <gmock/gmock.h>

#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/par.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

static_assert(std::is_nothrow_move_constructible_v<process>);
static_assert(!std::is_copy_constructible_v<process> && !std::is_move_assignable_v<process>);
static_assert(!std::is_move_constructible_v<step<int>> && !std::is_copy_constructible_v<step<int>>);

process owns(counted /*value*/, out<int> to_reader) { co_await to_reader.output(1); }

TEST(Process, ThatIsNeverStartedGivesUpWhatItOwns)
{
    test_kernel k(1);
    chan<int> c;
    const auto reading = c.rx();
    testing::internal::CaptureStderr();
    {
        const auto unborn = owns(counted(1), c.tx());
        EXPECT_EQ(counted::alive(), 1);
    }
    EXPECT_EQ(counted::alive(), 0);
    EXPECT_TRUE(reading.guarded()->ready_to_input());  // closed
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("process owns was made but never started"));
}

TEST(Process, ThatIsEndedBeforeItRanGivesUpWhatItOwns)
{
    chan<int> c;
    {
        test_kernel k(1);
        k.start(owns(counted(1), c.tx()));
    }
    EXPECT_EQ(counted::alive(), 0);
}

// ---- steps

step<std::unique_ptr<int>> makes(int value) { co_return std::make_unique<int>(value); }
step<int> adds(const int& a, const int& b)
{
    const int copy_of_a = a;
    co_await yield();
    co_return copy_of_a + b;
}
step<> fails()
{
    co_await yield();
    throw std::runtime_error("lost");
}
step<> calls_one_that_fails() { co_await fails(); }

process uses_steps(notebook<int> result)
{
    int total = 0;
    for (int i = 1; i <= 100; ++i) total = co_await adds(total, i);
    const auto made = co_await makes(5);
    total += *made;
    try {
        co_await calls_one_that_fails();
    } catch (const std::runtime_error&) {
        total += 1000;
    }
    *result = total;
}

TEST(Step, BorrowsReturnsAndThrows)
{
    for_seeds(200, [](std::uint64_t seed) {
        int result = 0;
        test_kernel k(seed);
        k.start(uses_steps(notebook(result)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(result, 5050 + 5 + 1000);
    });
}

step<int> counts_down(int n) { co_return n == 0 ? 0 : 1 + co_await counts_down(n - 1); }
step<int> one() { co_return 1; }
process calls_deep_and_long(notebook<int> result)
{
    *result = co_await counts_down(1000);
    for (int i = 0; i < 100'000; ++i) *result += co_await one();
}

TEST(Step, MayBeCalledDeepAndOften)
{
    int result = 0;
    test_kernel k(1);
    k.start(calls_deep_and_long(notebook(result)));
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_EQ(result, 101'000);
}

step<int> waits_inside(in<int>& values)
{
    const counted local(1);
    auto v = co_await values.input();
    co_return v.value_or(local.value());
}
process is_stuck_in_a_step(in<int> values) { co_await waits_inside(values); }

TEST(Step, IsEndedWithItsProcess)
{
    chan<int> c;
    {
        test_kernel k(1);
        k.start(is_stuck_in_a_step(c.rx()));
        EXPECT_EQ(k.run().size(), 1U);
        EXPECT_EQ(counted::alive(), 1);
    }
    EXPECT_EQ(counted::alive(), 0);
}

// ---- ended in every kind of wait, which must leave nothing behind: AddressSanitizer is the judge

process stuck_input(in<counted> values) { co_await values.input(); }
process stuck_shared_input(shared_in<counted> values) { co_await values.input(); }
process stuck_output(out<counted> to_nobody) { co_await to_nobody.output(counted(1)); }
process stuck_shared_output(shared_out<counted> to_nobody) { co_await to_nobody.output(counted(1)); }
process stuck_outputs(out<counted> left, shared_out<counted> right)
{
    co_await par(left.output(counted(1)), right.output(counted(2)));
}
process stuck_claim(shared_out<counted> to_nobody)
{
    auto turn = co_await to_nobody.claim();
    co_await turn.output(counted(1));
}
process stuck_reading_claim(shared_in<counted> values)
{
    auto turn = co_await values.claim();
    co_await turn.input();
}
process stuck_extended(in<counted> values) { auto held = co_await values.extended_input(); }
process stuck_holding(in<counted> values, in<counted> other)
{
    auto held = co_await values.extended_input();
    co_await other.input();
}
process stuck_join(in<counted> values)
{
    forking children;
    children.start(stuck_input(std::move(values)));
    co_await children.join();
}
process stuck_par(in<counted> a, in<counted> b) { co_await par(stuck_input(std::move(a)), stuck_join(std::move(b))); }
process leaves_stuck_orphans(in<counted> values)
{
    forking children;
    children.start(stuck_join(std::move(values)));
    co_return;
}
process stuck_in_time() { co_await sleep(std::chrono::hours(1)); }

TEST(EndAll, LeavesNothingBehindWhateverTheProcessesWaitFor)
{
    for_seeds(200, [](std::uint64_t seed) {
        const auto before = frame_pool::live();
        {
            std::vector<chan<counted>> c(13);
            test_kernel k(seed);
            std::vector<in<counted>> readers;
            std::vector<out<counted>> writers;
            k.start(stuck_input(c[0].rx()));
            writers.push_back(c[0].tx());
            for (int i = 0; i < 3; ++i) k.start(stuck_shared_input(c[1].shared_rx()));
            for (int i = 0; i < 2; ++i) k.start(stuck_reading_claim(c[1].shared_rx()));
            writers.push_back(c[1].tx());
            k.start(stuck_output(c[2].tx()));
            readers.push_back(c[2].rx());
            for (int i = 0; i < 3; ++i) k.start(stuck_shared_output(c[3].shared_tx()));
            for (int i = 0; i < 2; ++i) k.start(stuck_claim(c[3].shared_tx()));
            k.start(stuck_outputs(c[4].tx(), c[3].shared_tx()));
            readers.push_back(c[3].rx());
            readers.push_back(c[4].rx());
            k.start(stuck_extended(c[5].rx()));
            writers.push_back(c[5].tx());
            k.start(stuck_holding(c[6].rx(), c[7].rx()));
            writers.push_back(c[7].tx());
            k.start(stuck_output(c[6].tx()));
            k.start(stuck_par(c[8].rx(), c[9].rx()));
            k.start(leaves_stuck_orphans(c[10].rx()));
            for (int i = 8; i <= 10; ++i) writers.push_back(c[static_cast<std::size_t>(i)].tx());
            // One whose reader and writer are both among the ended.
            k.start(stuck_outputs(c[11].tx(), c[3].shared_tx()));
            k.start(stuck_par(c[11].rx(), c[12].rx()));
            writers.push_back(c[12].tx());
            k.start(stuck_in_time());
            k.run_until_quiescent();
            EXPECT_FALSE(k.all_ended());
            k.on().end_all();
            EXPECT_TRUE(k.all_ended());
            EXPECT_EQ(counted::alive(), 0);
        }
        EXPECT_EQ(frame_pool::live().blocks, before.blocks);
    });
}

}  // namespace
}  // namespace csp
