// SPDX-License-Identifier: MIT
#include "csp/kernel.hpp"

#include <array>
#include <atomic>
#include <expected>
#include <memory>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/par.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

using testing::HasSubstr;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

process says_hello(out<int> to_reader) { co_await to_reader.output(1); }
process hears(in<int> values) { co_await values.input(); }
process hello()
{
    chan<int> c;
    auto end = co_await par(says_hello(c.tx()), hears(c.rx()));
    EXPECT_EQ(end.faulted, 0U);
}

TEST(Kernel, RunsANetworkToItsEnd) { EXPECT_EQ(run(hello()), outcome::finished); }

process faults()
{
    co_await yield();
    throw std::runtime_error("lost");
}

TEST(Kernel, TellsOfAFault)
{
    CaptureStderr();
    EXPECT_EQ(run(faults()), outcome::faulted);
    EXPECT_THAT(GetCapturedStderr(), HasSubstr("process faults faulted: lost"));
}

process says_and_hears(in<int> values, out<int> to_other)
{
    co_await to_other.output(1);
    co_await values.input();
}
process deadlocks()
{
    chan<int> there;
    chan<int> back;
    co_await par(says_and_hears(there.rx(), back.tx()), says_and_hears(back.rx(), there.tx()));
}

TEST(Kernel, ReportsADeadlock)
{
    CaptureStderr();
    EXPECT_EQ(run(deadlocks()), outcome::deadlock);
    const std::string table = GetCapturedStderr();
    EXPECT_THAT(table, HasSubstr("the network has gone quiet"));
    EXPECT_THAT(table, HasSubstr("says_and_hears"));
    EXPECT_THAT(table, HasSubstr("output to the channel made at kernel_test.cpp:"));
}

TEST(Kernel, ReportsADeadlockOfSeveralCores)
{
    CaptureStderr();
    kernel k({.cores = 3});
    EXPECT_EQ(k.run(deadlocks()), outcome::deadlock);
    EXPECT_THAT(GetCapturedStderr(), HasSubstr("core 0: 3 living processes"));
}

process sleeps_a_while() { co_await sleep(std::chrono::milliseconds(20)); }

TEST(Kernel, WhoSleepsIsNotDeadlocked)
{
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(kernel({.cores = 2}).run(sleeps_a_while()), outcome::finished);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(20));
}

// ---- several cores

std::atomic<int> ended_elsewhere;

process notes_its_core(unsigned expected)
{
    EXPECT_EQ(core::here().index(), expected);
    co_await yield();
    EXPECT_EQ(core::here().index(), expected);
    ended_elsewhere.fetch_add(1, std::memory_order_relaxed);
}
process starts_everywhere(notebook<kernel> k, unsigned each)
{
    forking children;
    for (unsigned n = 0; n < each * k->cores(); ++n) {
        const unsigned where = n % k->cores();
        children.start_on(k->at(where), notes_its_core(where));
    }
    auto end = co_await children.join();
    EXPECT_EQ(end.faulted, 0U);
}

TEST(Kernel, StartsProcessesOnOtherCoresAndHearsOfTheirEnd)
{
    for (int i = 0; i < 20; ++i) {
        ended_elsewhere = 0;
        kernel k({.cores = 3});
        EXPECT_EQ(k.run(starts_everywhere(notebook(k), 50)), outcome::finished);
        EXPECT_EQ(ended_elsewhere.load(), 150);
    }
}

process starts_and_leaves(notebook<kernel> k, int depth)
{
    forking children;
    for (unsigned c = 0; c < k->cores(); ++c) {
        if (depth > 0) {
            children.start_on(k->at(c), starts_and_leaves(k, depth - 1));
        } else {
            children.start_on(k->at(c), notes_its_core(c));
        }
    }
    co_return;
}

TEST(Kernel, WaitsForOrphansOnOtherCores)
{
    for (int i = 0; i < 20; ++i) {
        ended_elsewhere = 0;
        kernel k({.cores = 3});
        EXPECT_EQ(k.run(starts_and_leaves(notebook(k), 3)), outcome::finished);
        EXPECT_EQ(ended_elsewhere.load(), 81);
    }
}

process faults_elsewhere_below(notebook<kernel> k)
{
    forking children;
    children.start_on(k->at(0), faults());
    co_await children.join();
}
process faults_elsewhere(notebook<kernel> k, notebook<std::uint32_t> faults_seen)
{
    forking children;
    children.start_on(k->at(1), faults());
    children.start_on(k->at(1), hello());
    auto end = co_await children.join();
    *faults_seen = end.faulted;
}

TEST(Kernel, HearsOfAFaultOnAnotherCore)
{
    std::uint32_t faults_seen = 0;
    kernel k({.cores = 2});
    CaptureStderr();
    EXPECT_EQ(k.run(faults_elsewhere(notebook(k), notebook(faults_seen))), outcome::finished);
    EXPECT_EQ(faults_seen, 1U);
    EXPECT_THAT(GetCapturedStderr(), HasSubstr("lost"));
}

process deadlocks_everywhere(notebook<kernel> k, int depth)
{
    forking children;
    for (unsigned c = 0; c < k->cores(); ++c) {
        children.start_on(k->at(c), deadlocks());
        if (depth > 0) children.start_on(k->at(c), deadlocks_everywhere(k, depth - 1));
    }
    if (depth % 2 == 0) co_await children.join();
}

TEST(Kernel, EndsAStuckNetworkOfSeveralCores)
{
    for (int i = 0; i < 5; ++i) {
        CaptureStderr();
        {
            kernel k({.cores = 3});
            EXPECT_EQ(k.run(deadlocks_everywhere(notebook(k), 2)), outcome::deadlock);
        }
        EXPECT_THAT(GetCapturedStderr(), HasSubstr("core 2:"));
    }
}

process waits_for_ever_beside_a_fault(notebook<kernel> k)
{
    chan<int> c;
    const auto silent = c.tx();
    forking children;
    children.start_on(k->at(1), faults_elsewhere_below(k));
    co_await c.rx().input();
}

TEST(KernelDeathTest, EndsTheProgramByAFaultThatNobodyHears)
{
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            kernel k({.cores = 2, .ends_by_fault = true});
            k.run(waits_for_ever_beside_a_fault(notebook(k)));
        },
        testing::ExitedWithCode(1), "it cannot go on without faults");
}

// ---- what the system refuses

class silent_neighbour : public neighbour {
  public:
    void poll() override {}
    void wait(time_point /*until*/) override {}
    void wake() noexcept override {}
    [[nodiscard]] bool expects_events() const override { return false; }
};

TEST(Kernel, SaysWhyItCannotBePrepared)
{
    for (const unsigned refused : {0U, 1U, 2U}) {
        kernel k({.cores = 3}, [refused](core& c) -> kernel::made_neighbour {
            if (c.index() == refused) return std::unexpected("no neighbour for it");
            return std::make_unique<silent_neighbour>();
        });
        const auto ready = k.prepare();
        ASSERT_FALSE(ready);
        EXPECT_EQ(ready.error(), "no neighbour for it");
    }
}

TEST(Kernel, SaysWhatAMakerOfNeighboursThrows)
{
    kernel k({.cores = 2}, [](core&) -> kernel::made_neighbour { throw std::runtime_error("no memory"); });
    EXPECT_EQ(k.prepare().error(), "no memory");
}

TEST(Kernel, MayBePreparedAndNeverRun)
{
    kernel k({.cores = 3});
    EXPECT_TRUE(k.prepare());
}

TEST(Kernel, RunsOncePrepared)
{
    kernel k({.cores = 3});
    ASSERT_TRUE(k.prepare());
    EXPECT_EQ(k.run(hello()), outcome::finished);
}

// ---- asked while it runs

process sleeps_until(notebook<bool> over)
{
    while (!*over) co_await sleep(std::chrono::milliseconds(1));
}
process asks_for_a_post_mortem(notebook<kernel> k)
{
    bool over = false;
    bridge<int> to_other(k->at(1));
    auto speaker = to_other.tx();
    forking children;
    children.start_on(k->at(1), hears(to_other.rx()));
    children.start(sleeps_until(notebook(over)).named("the one who sleeps"));
    co_await yield();
    k->request_post_mortem();
    // A core prints its table at the beginning of a round. The core that gets the message begins one, and so does this
    // core when it hears that its message was taken.
    co_await speaker.output(1);
    over = true;
    co_await children.join();
}

TEST(Kernel, PrintsItsTableWhenAskedAndGoesOn)
{
    CaptureStderr();
    kernel k({.cores = 2});
    EXPECT_EQ(k.run(asks_for_a_post_mortem(notebook(k))), outcome::finished);
    const std::string table = GetCapturedStderr();
    EXPECT_THAT(table, HasSubstr("core 0:"));
    EXPECT_THAT(table, HasSubstr("core 1:"));
    EXPECT_THAT(table, HasSubstr("the one who sleeps"));
    EXPECT_THAT(table, HasSubstr("a moment"));
}

}  // namespace
}  // namespace csp
