// SPDX-License-Identifier: MIT
#include "csp/channel.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "csp/alt.hpp"
#include "csp/par.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using diary = std::vector<std::string>;

process numbers(int from, int to, out<int> to_reader)
{
    for (int i = from; i < to; ++i) {
        if (!co_await to_reader.output(i)) co_return;
    }
}

process collector(in<int> values, notebook<std::vector<int>> seen)
{
    while (auto v = co_await values.input()) seen->push_back(*v);
}

TEST(Channel, CarriesMessagesInOrderAndCloses)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        chan<int> c;
        k.start(collector(c.rx(), notebook(seen)));
        k.start(numbers(0, 5, c.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3, 4));
    });
}

process writer_of_one(out<int> to_reader, notebook<diary> d)
{
    d->push_back("offers");
    const bool taken = co_await to_reader.output(1);
    d->push_back(taken ? "taken" : "refused");
}

process late_reader(in<int> values, notebook<diary> d)
{
    co_await sleep(std::chrono::seconds(1));
    d->push_back("reads");
    co_await values.input();
}

TEST(Channel, TheWriterWaitsForItsReader)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> c;
        k.start(writer_of_one(c.tx(), notebook(d)));
        k.start(late_reader(c.rx(), notebook(d)));
        EXPECT_EQ(k.run_for(std::chrono::milliseconds(999)).size(), 2U);
        EXPECT_THAT(d, ElementsAre("offers"));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("offers", "reads", "taken"));
    });
}

// ---- every message made is destroyed once

process counted_writer(int how_many, out<counted> to_reader, notebook<int> taken)
{
    for (int i = 0; i < how_many; ++i) {
        if (!co_await to_reader.output(counted(i))) co_return;
        ++*taken;
    }
}
process shared_counted_writer(int how_many, shared_out<counted> to_reader, notebook<int> taken)
{
    for (int i = 0; i < how_many; ++i) {
        if (!co_await to_reader.output(counted(i))) co_return;
        ++*taken;
    }
}
process counted_reader(int how_many, in<counted> values, notebook<int> seen)
{
    for (int i = 0; i < how_many; ++i) {
        auto v = co_await values.input();
        if (!v) co_return;
        EXPECT_TRUE(v->full());
        ++*seen;
    }
}

TEST(Channel, EachMessageIsDestroyedOnce)
{
    for_seeds(200, [](std::uint64_t seed) {
        int taken = 0;
        int seen = 0;
        {
            test_kernel k(seed);
            chan<counted> c;
            k.start(counted_writer(10, c.tx(), notebook(taken)));
            k.start(counted_reader(100, c.rx(), notebook(seen)));
            EXPECT_THAT(k.run(), IsEmpty());
        }
        EXPECT_EQ(taken, 10);
        EXPECT_EQ(seen, 10);
        EXPECT_EQ(counted::alive(), 0);
    });
}

TEST(Channel, AReaderThatLeavesIsToldToEveryWriter)
{
    for_seeds(200, [](std::uint64_t seed) {
        int taken = 0;
        int seen = 0;
        {
            test_kernel k(seed);
            chan<counted> c;
            for (int i = 0; i < 4; ++i) k.start(shared_counted_writer(3, c.shared_tx(), notebook(taken)));
            k.start(counted_reader(5, c.rx(), notebook(seen)));
            EXPECT_THAT(k.run(), IsEmpty());
        }
        EXPECT_EQ(seen, 5);
        EXPECT_EQ(taken, 5);
        EXPECT_EQ(counted::alive(), 0);
    });
}

TEST(Channel, MessagesOfWritersThatAreEndedAreDestroyed)
{
    for_seeds(200, [](std::uint64_t seed) {
        int taken = 0;
        {
            test_kernel k(seed);
            chan<counted> c;
            const auto reading = c.rx();
            for (int i = 0; i < 3; ++i) k.start(shared_counted_writer(3, c.shared_tx(), notebook(taken)));
            EXPECT_EQ(k.run().size(), 3U);
            EXPECT_EQ(counted::alive(), 3);
            k.on().end_all();
        }
        EXPECT_EQ(taken, 0);
        EXPECT_EQ(counted::alive(), 0);
    });
}

TEST(Channel, AMessageToNobodyIsRefused)
{
    int taken = 0;
    test_kernel k(1);
    chan<counted> c;
    {
        const auto gone = c.rx();
    }
    k.start(counted_writer(2, c.tx(), notebook(taken)));
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_EQ(taken, 0);
    EXPECT_EQ(counted::alive(), 0);
}

// ---- closing

TEST(Channel, AnEndThatWasNeverHandedOutClosesWithItsChan)
{
    diary d;
    std::vector<int> seen;
    test_kernel k(1);
    {
        chan<int> unwritten;
        chan<int> unread;
        k.start(collector(unwritten.rx(), notebook(seen)));
        k.start(writer_of_one(unread.tx(), notebook(d)));
        EXPECT_EQ(k.run().size(), 2U);
    }
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_THAT(d, ElementsAre("offers", "refused"));
}

TEST(Channel, ClosesWhileItsChanStillLives)
{
    std::vector<int> seen;
    test_kernel k(1);
    chan<int> c;
    k.start(collector(c.rx(), notebook(seen)));
    k.start(numbers(0, 3, c.tx()));
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_THAT(seen, ElementsAre(0, 1, 2));
}

TEST(ChannelDeathTest, HandsOutASingleEndOnce)
{
    chan<int> c;
    const auto reading = c.rx();
    const auto writing = c.shared_tx();
    EXPECT_DEATH((void)c.rx(), "handed out already");
    EXPECT_DEATH((void)c.tx(), "handed out already");
}

process passes_its_end_on(out<out<int>> to_other, out<int> end) { co_await to_other.output(std::move(end)); }
process writes_on_a_given_end(in<out<int>> ends)
{
    auto end = co_await ends.input();
    co_await end->output(7);
}

TEST(Channel, EndsTravelInMessages)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        chan<int> c;
        chan<out<int>> ends;
        k.start(passes_its_end_on(ends.tx(), c.tx()));
        k.start(writes_on_a_given_end(ends.rx()));
        k.start(collector(c.rx(), notebook(seen)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(seen, ElementsAre(7));
    });
}

// ---- shared ends

process writes_at(duration when, int what, shared_out<int> to_reader)
{
    co_await sleep(when);
    co_await to_reader.output(what);
}
process reads_from(duration when, in<int> values, notebook<std::vector<int>> seen)
{
    co_await sleep(when);
    while (auto v = co_await values.input()) seen->push_back(*v);
}

TEST(SharedEnds, WritersAreServedInTheOrderTheyCame)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        chan<int> c;
        for (const int i : {3, 1, 4, 2, 5}) k.start(writes_at(std::chrono::seconds(i), i, c.shared_tx()));
        k.start(reads_from(std::chrono::seconds(9), c.rx(), notebook(seen)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4, 5));
    });
}

process reads_one_at(duration when, int who, shared_in<int> values, notebook<std::vector<std::pair<int, int>>> seen)
{
    co_await sleep(when);
    if (auto v = co_await values.input()) seen->emplace_back(who, *v);
}
process writes_from(duration when, out<int> to_readers)
{
    co_await sleep(when);
    for (int i = 0; co_await to_readers.output(i);) ++i;
}

TEST(SharedEnds, ReadersAreServedInTheOrderTheyCame)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<std::pair<int, int>> seen;
        test_kernel k(seed);
        chan<int> c;
        for (const int i : {2, 3, 1}) k.start(reads_one_at(std::chrono::seconds(i), i, c.shared_rx(), notebook(seen)));
        k.start(writes_from(std::chrono::seconds(9), c.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        using testing::UnorderedElementsAre;
        EXPECT_THAT(seen, UnorderedElementsAre(std::pair(1, 0), std::pair(2, 1), std::pair(3, 2)));
    });
}

// ---- claims

process claims_and_writes(duration when, int first, shared_out<int> to_reader)
{
    co_await sleep(when);
    auto turn = co_await to_reader.claim();
    for (int i = 0; i < 3; ++i) {
        co_await turn.output(first + i);
        co_await sleep(std::chrono::milliseconds(700));
    }
}

TEST(Claims, NobodyWritesBetween)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        chan<int> c;
        k.start(collector(c.rx(), notebook(seen)));
        for (int i = 0; i < 5; ++i) k.start(claims_and_writes(duration(0), 10 * i, c.shared_tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        ASSERT_EQ(seen.size(), 15U);
        for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], seen[i / 3 * 3] + static_cast<int>(i % 3));
    });
}

TEST(Claims, TakeTheirTurnAmongPlainOutputs)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        chan<int> c;
        using std::chrono::seconds;
        k.start(writes_at(seconds(1), 1, c.shared_tx()));
        k.start(claims_and_writes(seconds(2), 20, c.shared_tx()));
        k.start(writes_at(seconds(3), 3, c.shared_tx()));
        k.start(writes_at(seconds(4), 4, c.shared_tx()));
        k.start(claims_and_writes(seconds(5), 50, c.shared_tx()));
        k.start(writes_at(seconds(6), 6, c.shared_tx()));
        k.start(reads_from(seconds(9), c.rx(), notebook(seen)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(seen, ElementsAre(1, 20, 21, 22, 3, 4, 50, 51, 52, 6));
    });
}

process claims_and_throws(shared_out<int> to_reader)
{
    auto turn = co_await to_reader.claim();
    co_await turn.output(1);
    throw std::runtime_error("lost");
}

TEST(Claims, AreReleasedByAnException)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        k.on().set_fault_listener([](const record&, const char*) noexcept {});
        chan<int> c;
        k.start(claims_and_throws(c.shared_tx()));
        k.start(claims_and_throws(c.shared_tx()));
        k.start(writes_at(duration(0), 2, c.shared_tx()));
        k.start(collector(c.rx(), notebook(seen)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(k.faulted(), 2U);
        EXPECT_THAT(seen, testing::UnorderedElementsAre(1, 1, 2));
    });
}

process claims_and_reads(int how_many, shared_in<int> values, notebook<std::vector<std::vector<int>>> seen)
{
    std::vector<int> mine;
    {
        auto turn = co_await values.claim();
        while (how_many-- > 0) {
            auto chosen = co_await pri_alt(turn);
            EXPECT_TRUE(chosen == turn);
            if (auto v = co_await turn.input()) mine.push_back(*v);
        }
    }
    seen->push_back(std::move(mine));
}

TEST(Claims, OfAReadingEndTakeSeveralMessages)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<std::vector<int>> seen;
        test_kernel k(seed);
        chan<int> c;
        for (int i = 0; i < 3; ++i) k.start(claims_and_reads(2, c.shared_rx(), notebook(seen)));
        k.start(numbers(0, 6, c.tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(seen, ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4, 5)));
    });
}

TEST(Claims, AWaitingLineIsToldThatTheReaderHasGone)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        chan<int> c;
        auto reading = c.rx();
        k.start(claims_and_writes(duration(0), 0, c.shared_tx()));
        k.start(claims_and_writes(duration(0), 0, c.shared_tx()));
        k.start(writes_at(duration(0), 0, c.shared_tx()));
        EXPECT_EQ(k.run().size(), 3U);
        reading = {};
        EXPECT_THAT(k.run(), IsEmpty());
    });
}

// ---- extended rendezvous

process holds_its_writer(in<int> values, notebook<diary> d)
{
    {
        auto held = co_await values.extended_input();
        d->push_back(held ? "has it" : "closed");
        co_await sleep(std::chrono::seconds(1));
        d->push_back("releases");
    }
    auto held = co_await values.extended_input();
    d->push_back(held ? "has it" : "closed");
}

TEST(ExtendedInput, HoldsTheWriterToTheEndOfTheScope)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        chan<int> c;
        k.start(writer_of_one(c.tx(), notebook(d)));
        k.start(holds_its_writer(c.rx(), notebook(d)));
        EXPECT_THAT(k.run(), IsEmpty());
        std::erase(d, "offers");
        // Which of the two then goes on first is open.
        EXPECT_THAT(d, testing::AnyOf(ElementsAre("has it", "releases", "taken", "closed"),
                                      ElementsAre("has it", "releases", "closed", "taken")));
    });
}

process holds_and_throws(in<int> values)
{
    auto held = co_await values.extended_input();
    co_await sleep(std::chrono::seconds(1));
    throw std::runtime_error("lost");
}

TEST(ExtendedInput, AnExceptionReleasesTheWriter)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        k.on().set_fault_listener([](const record&, const char*) noexcept {});
        chan<int> c;
        k.start(writer_of_one(c.tx(), notebook(d)));
        k.start(holds_and_throws(c.rx()));
        k.run_for(std::chrono::milliseconds(500));
        EXPECT_THAT(d, ElementsAre("offers"));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("offers", "taken"));
    });
}

// ---- several outputs at once

process writes_both(out<counted> to_left, out<counted> to_right, notebook<int> taken)
{
    const auto [left, right] = co_await par(to_left.output(counted(1)), to_right.output(counted(2)));
    *taken = (left ? 1 : 0) + (right ? 1 : 0);
}

TEST(ParallelOutputs, EndWhenBothReadersHaveTheirs)
{
    for_seeds(200, [](std::uint64_t seed) {
        int taken = 0;
        int seen = 0;
        test_kernel k(seed);
        chan<counted> left;
        chan<counted> right;
        k.start(writes_both(left.tx(), right.tx(), notebook(taken)));
        k.start(counted_reader(1, left.rx(), notebook(seen)));
        k.start(counted_reader(1, right.rx(), notebook(seen)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(taken, 2);
        EXPECT_EQ(seen, 2);
        EXPECT_EQ(counted::alive(), 0);
    });
}

TEST(ParallelOutputs, TellWhichReaderHasGone)
{
    for_seeds(200, [](std::uint64_t seed) {
        int taken = 0;
        int seen = 0;
        test_kernel k(seed);
        chan<counted> left;
        chan<counted> right;
        k.start(writes_both(left.tx(), right.tx(), notebook(taken)));
        k.start(counted_reader(0, left.rx(), notebook(seen)));
        k.start(counted_reader(1, right.rx(), notebook(seen)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(taken, 1);
        EXPECT_EQ(seen, 1);
        EXPECT_EQ(counted::alive(), 0);
    });
}

}  // namespace
}  // namespace csp
