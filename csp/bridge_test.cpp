// SPDX-License-Identifier: MIT
#include "csp/bridge.hpp"

#include <atomic>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "csp/alt.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/forking.hpp"
#include "csp/kernel.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

static_assert(mobile<bridge<int>> && mobile<bridge_out<int>>);
static_assert(mobile<buffered_bridge<int>> && mobile<buffered_in<int>> && mobile<buffered_out<int>>);
static_assert(crosses_cores<std::string> && crosses_cores<bridge_out<int>> && crosses_cores<buffered_out<int>>);
static_assert(!crosses_cores<in<int>> && !crosses_cores<shared_out<int>> && !crosses_cores<chan<int>>);
static_assert(!crosses_cores<frozen<int>> && !crosses_cores<std::vector<frozen<int>>>);
static_assert(!crosses_cores<barrier> && !crosses_cores<buffered_in<int>>);

/// As `counted`, for messages that are made on one thread and destroyed on another.
class parcelled {
  public:
    explicit parcelled(int value) : value_(value), full_(true) { alive.fetch_add(1, std::memory_order_relaxed); }
    parcelled(parcelled&& other) noexcept : value_(other.value_), full_(std::exchange(other.full_, false)) {}
    parcelled& operator=(parcelled&&) = delete;
    ~parcelled()
    {
        if (full_) alive.fetch_sub(1, std::memory_order_relaxed);
    }
    [[nodiscard]] int value() const { return value_; }
    inline static std::atomic<int> alive = 0;

  private:
    int value_;
    bool full_;
};

struct tally {
    int taken = 0;
    long sum = 0;
    bool in_order = true;
    bool closed = false;
};

template <class End>
process writes(int how_many, End to_reader, notebook<std::atomic<int>> taken)
{
    for (int i = 0; i < how_many; ++i) {
        if (!co_await to_reader.output(parcelled(i))) break;
        taken->fetch_add(1, std::memory_order_relaxed);
    }
}
template <class End>
process reads(int how_many, End values, notebook<tally> seen)
{
    int last = -1;
    while (seen->taken < how_many) {
        auto v = co_await values.input();
        if (!v) {
            seen->closed = true;
            break;
        }
        ++seen->taken;
        seen->sum += v->value();
        seen->in_order = seen->in_order && v->value() > std::exchange(last, v->value());
    }
}

// ---- one core: as a channel, under many seeds

TEST(Bridge, OnOneCoreIsAChannel)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::atomic<int> taken = 0;
        tally seen;
        {
            test_kernel k(seed);
            bridge<parcelled> b(k.on());
            for (int i = 0; i < 3; ++i) k.start(writes(5, b.tx(), notebook(taken)));
            k.start(reads(100, b.rx(), notebook(seen)));
            EXPECT_THAT(k.run(), IsEmpty());
        }
        EXPECT_EQ(taken, 15);
        EXPECT_EQ(seen.sum, 30);
        EXPECT_TRUE(seen.closed);
        EXPECT_EQ(parcelled::alive, 0);
    });
}

process asks(bridge_out<int> to_reader, notebook<std::vector<bool>> answers)
{
    answers->push_back(co_await to_reader.has_reader());
    answers->push_back(co_await to_reader.output(1));
    answers->push_back(co_await to_reader.has_reader());
    answers->push_back(co_await to_reader.output(2));
}
process takes_one(in<int> values) { co_await values.input(); }

TEST(Bridge, TellsWhetherAnybodyReads)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<bool> answers;
        test_kernel k(seed);
        bridge<int> b(k.on());
        k.start(asks(b.tx(), notebook(answers)));
        k.start(takes_one(b.rx()));
        EXPECT_THAT(k.run(), IsEmpty());
        ASSERT_EQ(answers.size(), 4U);
        EXPECT_TRUE(answers[0] && answers[1]);
        EXPECT_EQ(answers[3], false);
    });
}

process asks_across(notebook<kernel> k, notebook<std::vector<bool>> answers)
{
    forking all;
    bridge<int> b(k->at(1));
    all.start_on(k->at(1), takes_one(b.rx()));
    auto to_reader = b.tx();
    answers->push_back(co_await to_reader.has_reader());
    answers->push_back(co_await to_reader.output(1));
    co_await all.join();
    answers->push_back(co_await to_reader.has_reader());
}

TEST(Bridge, TellsAnotherCoreWhetherAnybodyReads)
{
    for (int i = 0; i < 20; ++i) {
        std::vector<bool> answers;
        kernel k({.cores = 2});
        EXPECT_EQ(k.run(asks_across(notebook(k), notebook(answers))), outcome::finished);
        EXPECT_THAT(answers, ElementsAre(true, true, false));
    }
}

process offers(bridge_out<int> to_reader, notebook<std::vector<std::string>> d)
{
    d->push_back("offers");
    d->push_back(co_await to_reader.output(1) ? "taken" : "refused");
}
process takes_late(in<int> values, notebook<std::vector<std::string>> d)
{
    co_await sleep(std::chrono::seconds(1));
    d->push_back("reads");
    co_await values.input();
}

TEST(Bridge, IsSynchronous)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<std::string> d;
        test_kernel k(seed);
        bridge<int> b(k.on());
        k.start(offers(b.tx(), notebook(d)));
        k.start(takes_late(b.rx(), notebook(d)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("offers", "reads", "taken"));
    });
}

TEST(BufferedBridge, OnOneCoreIsABuffer)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::atomic<int> taken = 0;
        tally seen;
        {
            test_kernel k(seed);
            buffered_bridge<parcelled> b(k.on(), 1 + seed % 7);
            k.start(writes(1000, b.tx(), notebook(taken)));
            k.start(reads(5000, b.rx(), notebook(seen)));
            EXPECT_THAT(k.run(), IsEmpty());
        }
        EXPECT_EQ(taken, 1000);
        EXPECT_EQ(seen.taken, 1000);
        EXPECT_TRUE(seen.in_order);
        EXPECT_TRUE(seen.closed);
        EXPECT_EQ(parcelled::alive, 0);
    });
}

TEST(BufferedBridge, HoldsWhatItPromisesWithNobodyReading)
{
    for (const int capacity : {1, 2, 5, 64, 1000}) {
        std::atomic<int> taken = 0;
        test_kernel k(1);
        buffered_bridge<parcelled> b(k.on(), static_cast<std::size_t>(capacity));
        auto reading = b.rx();
        k.start(writes(10'000, b.tx(), notebook(taken)));
        EXPECT_EQ(k.run().size(), 1U);
        EXPECT_GE(taken, capacity);
        EXPECT_LT(taken, 10'000);
    }
    EXPECT_EQ(parcelled::alive, 0);
}

process chooses(buffered_in<int> stream, in<int> other, notebook<std::vector<std::string>> d)
{
    bool open = true;
    bool other_open = true;
    while (open || other_open) {
        const timeout late = after(std::chrono::seconds(5));
        auto chosen = co_await pri_alt(when(other_open, other), when(open, stream), late);
        if (chosen == late) {
            d->push_back("late");
        } else if (chosen == other) {
            other_open = (co_await other.input()).has_value();
            d->push_back(other_open ? "other" : "other closed");
        } else {
            EXPECT_TRUE(chosen == stream);
            open = (co_await stream.input()).has_value();
            d->push_back(open ? "stream" : "stream closed");
        }
    }
}
template <class End>
process writes_at(duration when, End to_reader)
{
    co_await sleep(when);
    co_await to_reader.output(1);
}

TEST(BufferedBridge, TakesPartInAnAlt)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<std::string> d;
        test_kernel k(seed);
        chan<int> other;
        buffered_bridge<int> b(k.on(), 4);
        k.start(chooses(b.rx(), other.rx(), notebook(d)));
        k.start(writes_at(std::chrono::seconds(1), other.tx()));
        k.start(writes_at(std::chrono::seconds(8), b.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("other", "other closed", "late", "stream", "stream closed"));
    });
}

TEST(BridgeEndAll, LeavesNothingBehind)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::atomic<int> taken = 0;
        tally seen;
        {
            test_kernel k(seed);
            bridge<parcelled> unread(k.on());
            bridge<parcelled> unwritten(k.on());
            buffered_bridge<parcelled> full(k.on(), 2);
            buffered_bridge<parcelled> empty(k.on(), 2);
            const auto a = unread.rx();
            const auto b = unwritten.tx();
            const auto c = full.rx();
            const auto d = empty.tx();
            for (int i = 0; i < 2; ++i) k.start(writes(1, unread.tx(), notebook(taken)));
            k.start(reads(1, unwritten.rx(), notebook(seen)));
            k.start(writes(100, full.tx(), notebook(taken)));
            k.start(reads(1, empty.rx(), notebook(seen)));
            EXPECT_EQ(k.run().size(), 5U);
            EXPECT_THAT(k.post_mortem(), HasSubstr("the other side of the bridge made at bridge_test.cpp:"));
            EXPECT_THAT(k.post_mortem(), HasSubstr("input from the bridge made at bridge_test.cpp:"));
            k.on().end_all();
        }
        EXPECT_EQ(parcelled::alive, 0);
    });
}

// ---- several cores

struct plan {
    unsigned cores;
    int writers;
    int messages;
    int readers_patience;  // messages after which the reader leaves
};

process many_to_one(notebook<kernel> k, plan p, notebook<std::atomic<int>> taken, notebook<tally> seen)
{
    forking all;
    {
        bridge<parcelled> b(k->at(p.cores - 1));
        for (int i = 0; i < p.writers; ++i) {
            all.start_on(k->at(static_cast<unsigned>(i) % p.cores), writes(p.messages, b.tx(), taken));
        }
        all.start_on(k->at(p.cores - 1), reads(p.readers_patience, b.rx(), seen));
    }
    co_await all.join();
}

void stress_many_to_one(plan p, duration spin)
{
    std::atomic<int> taken = 0;
    tally seen;
    {
        kernel k({.cores = p.cores, .spin = spin});
        EXPECT_EQ(k.run(many_to_one(notebook(k), p, notebook(taken), notebook(seen))), outcome::finished);
    }
    const int sent = p.writers * p.messages;
    EXPECT_EQ(seen.taken, std::min(sent, p.readers_patience));
    EXPECT_EQ(taken, seen.taken);
    EXPECT_EQ(seen.closed, sent < p.readers_patience);
    EXPECT_EQ(parcelled::alive, 0);
}

TEST(Bridge, CarriesFromManyCoresToOne)
{
    for (int i = 0; i < 20; ++i) {
        stress_many_to_one({.cores = 2, .writers = 1, .messages = 200, .readers_patience = 1000}, duration(0));
        stress_many_to_one({.cores = 3, .writers = 6, .messages = 50, .readers_patience = 1000}, duration(0));
        stress_many_to_one({.cores = 3, .writers = 4, .messages = 100, .readers_patience = 130},
                           std::chrono::microseconds(20));
        stress_many_to_one({.cores = 2, .writers = 4, .messages = 100, .readers_patience = 0}, duration(0));
    }
}

process claims(int who, bridge_out<int> to_reader)
{
    for (int turns = 0; turns < 5; ++turns) {
        auto turn = co_await to_reader.claim();
        for (int i = 0; i < 4; ++i) co_await turn.output(who * 10 + i);
    }
}
process collects(in<int> values, notebook<std::vector<int>> seen)
{
    while (auto v = co_await values.input()) seen->push_back(*v);
}
process claims_from_everywhere(notebook<kernel> k, notebook<std::vector<int>> seen)
{
    forking all;
    {
        bridge<int> b(k->at(1));
        all.start_on(k->at(1), collects(b.rx(), seen));
        for (int who = 0; who < 6; ++who) all.start_on(k->at(static_cast<unsigned>(who) % 3), claims(who, b.tx()));
    }
    co_await all.join();
}

TEST(Bridge, IsClaimedByOneAtATime)
{
    for (int i = 0; i < 20; ++i) {
        std::vector<int> seen;
        kernel k({.cores = 3});
        EXPECT_EQ(k.run(claims_from_everywhere(notebook(k), notebook(seen))), outcome::finished);
        ASSERT_EQ(seen.size(), 120U);
        for (std::size_t n = 0; n < seen.size(); ++n) EXPECT_EQ(seen[n], seen[n / 4 * 4] + static_cast<int>(n % 4));
    }
}

process stream_across(notebook<kernel> k, std::size_t capacity, int messages, int patience,
                      notebook<std::atomic<int>> taken, notebook<tally> seen)
{
    forking all;
    {
        buffered_bridge<parcelled> b(k->at(1), capacity);
        all.start(writes(messages, b.tx(), taken));
        all.start_on(k->at(1), reads(patience, b.rx(), seen));
    }
    co_await all.join();
}

void stress_stream(std::size_t capacity, int messages, int patience, duration spin)
{
    std::atomic<int> taken = 0;
    tally seen;
    {
        kernel k({.cores = 2, .spin = spin});
        EXPECT_EQ(k.run(stream_across(notebook(k), capacity, messages, patience, notebook(taken), notebook(seen))),
                  outcome::finished);
    }
    EXPECT_EQ(seen.taken, std::min(messages, patience));
    EXPECT_TRUE(seen.in_order);
    EXPECT_GE(taken, seen.taken);
    EXPECT_EQ(seen.closed, messages < patience);
    EXPECT_EQ(parcelled::alive, 0);
}

TEST(BufferedBridge, StreamsFromCoreToCore)
{
    for (int i = 0; i < 10; ++i) {
        for (const std::size_t capacity : {1U, 2U, 16U, 256U}) {
            stress_stream(capacity, 2000, 100'000, duration(0));
            stress_stream(capacity, 2000, 100'000, std::chrono::microseconds(5));
            stress_stream(capacity, 2000, 700, duration(0));
            stress_stream(capacity, 0, 100'000, duration(0));
            stress_stream(capacity, 100, 0, duration(0));
        }
    }
}

template <class Writing, class Reading>
process echoes(Reading values, Writing to_other)
{
    while (auto v = co_await values.input()) {
        if (!co_await to_other.output(*v + 1)) co_return;
    }
}
template <class Writing, class Reading>
process calls_and_hears(int rounds, Reading values, Writing to_other, notebook<int> last)
{
    int ball = 0;
    for (int i = 0; i < rounds; ++i) {
        if (!co_await to_other.output(ball)) co_return;
        auto v = co_await values.input();
        if (!v) co_return;
        ball = *v;
    }
    *last = ball;
}
process plays(notebook<kernel> k, int rounds, notebook<int> last)
{
    forking all;
    {
        bridge<int> there(k->at(1));
        bridge<int> back(k->at(0));
        all.start_on(k->at(1), echoes(there.rx(), back.tx()));
        all.start(calls_and_hears(rounds, back.rx(), there.tx(), last));
    }
    co_await all.join();
}
process plays_buffered(notebook<kernel> k, int rounds, notebook<int> last)
{
    forking all;
    {
        buffered_bridge<int> there(k->at(1), 1);
        buffered_bridge<int> back(k->at(0), 1);
        all.start_on(k->at(1), echoes(there.rx(), back.tx()));
        all.start(calls_and_hears(rounds, back.rx(), there.tx(), last));
    }
    co_await all.join();
}

TEST(Bridge, GoesThereAndBack)
{
    for (const duration spin : {duration(0), duration(std::chrono::microseconds(50))}) {
        int last = 0;
        kernel k({.cores = 2, .spin = spin});
        EXPECT_EQ(k.run(plays(notebook(k), 2000, notebook(last))), outcome::finished);
        EXPECT_EQ(last, 2000);
    }
}

TEST(BufferedBridge, GoesThereAndBack)
{
    for (const duration spin : {duration(0), duration(std::chrono::microseconds(50))}) {
        int last = 0;
        kernel k({.cores = 2, .spin = spin});
        EXPECT_EQ(k.run(plays_buffered(notebook(k), 2000, notebook(last))), outcome::finished);
        EXPECT_EQ(last, 2000);
    }
}

// An ALT whose other guards keep interrupting its listening to the bridge.
process listens_between(buffered_in<int> stream, in<int> ticks, notebook<tally> seen)
{
    for (;;) {
        auto chosen = co_await fair_alt(stream, ticks);
        if (chosen == ticks) {
            co_await ticks.input();
            continue;
        }
        auto v = co_await stream.input();
        if (!v) co_return;
        ++seen->taken;
    }
}
process ticks_for_ever(out<int> to_listener)
{
    while (co_await to_listener.output(0)) co_await yield();
}
process sends_now_and_then(int how_many, buffered_out<int> to_listener)
{
    for (int i = 0; i < how_many; ++i) {
        co_await to_listener.output(i);
        if (i % 16 == 0) co_await sleep(std::chrono::microseconds(50));
    }
}
process interrupts(notebook<kernel> k, notebook<tally> seen)
{
    forking all;
    {
        buffered_bridge<int> b(k->at(0), 4);
        chan<int> ticks;
        all.start(listens_between(b.rx(), ticks.rx(), seen));
        all.start(ticks_for_ever(ticks.tx()));
        all.start_on(k->at(1), sends_now_and_then(3000, b.tx()));
    }
    co_await all.join();
}

TEST(BufferedBridge, KeepsItsCallsWhenAnAltLooksAway)
{
    tally seen;
    kernel k({.cores = 2});
    EXPECT_EQ(k.run(interrupts(notebook(k), notebook(seen))), outcome::finished);
    EXPECT_EQ(seen.taken, 3000);
}

// ---- quiet networks

process waits_for_each_other(notebook<kernel> k, notebook<int> last)
{
    forking all;
    bridge<int> there(k->at(1));
    bridge<int> back(k->at(0));
    buffered_bridge<int> full(k->at(2), 1);
    auto never_read = full.rx();
    // Both speak first, and nobody listens.
    all.start_on(k->at(1), calls_and_hears(1, there.rx(), back.tx(), last));
    all.start(calls_and_hears(1, back.rx(), there.tx(), last));
    all.start_on(k->at(1), sends_now_and_then(100, full.tx()));
    co_await all.join();
}

TEST(Bridge, ADeadlockAcrossCoresIsReported)
{
    for (int i = 0; i < 20; ++i) {
        int last = 0;
        CaptureStderr();
        {
            kernel k({.cores = 3});
            EXPECT_EQ(k.run(waits_for_each_other(notebook(k), notebook(last))), outcome::deadlock);
        }
        EXPECT_THAT(GetCapturedStderr(), HasSubstr("the other side of the bridge made at bridge_test.cpp:"));
    }
}

process never_used(notebook<kernel> k)
{
    {
        const bridge<parcelled> untouched(k->at(1));
    }
    {
        bridge<parcelled> unwritten(k->at(1));
        auto to_nobody = unwritten.tx();
        auto copy = to_nobody;
        to_nobody = std::move(copy);
    }
    {
        const buffered_bridge<parcelled> untouched(k->at(1), 3);
    }
    co_return;
}

TEST(Bridge, ThatWasNeverUsedLeavesNothing)
{
    const kernel::options two{.cores = 2};
    kernel k(two);
    EXPECT_EQ(k.run(never_used(notebook(k))), outcome::finished);
}

process writes_into_the_void(notebook<kernel> k, notebook<std::atomic<int>> taken)
{
    forking all;
    {
        bridge<parcelled> b(k->at(1));
        buffered_bridge<parcelled> buffered(k->at(1), 10);
        all.start(writes(10, b.tx(), taken));
        all.start(writes(10, buffered.tx(), taken));
    }
    co_await all.join();
}

TEST(Bridge, WithoutAReaderRefuses)
{
    std::atomic<int> taken = 0;
    kernel k({.cores = 2});
    EXPECT_EQ(k.run(writes_into_the_void(notebook(k), notebook(taken))), outcome::finished);
    EXPECT_EQ(taken, 0);
    EXPECT_EQ(parcelled::alive, 0);
}

}  // namespace
}  // namespace csp
