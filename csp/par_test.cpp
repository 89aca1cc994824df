// SPDX-License-Identifier: MIT
#include "csp/par.hpp"

#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

using diary = std::vector<std::string>;

process says_at(duration when, std::string what, notebook<diary> d)
{
    co_await sleep(when);
    d->push_back(std::move(what));
}
process throws_at(duration when)
{
    co_await sleep(when);
    throw std::runtime_error("lost");
}

void hears_nothing(const record& /*r*/, const char* /*what*/) noexcept {}

// ---- PAR

process runs_three(notebook<diary> d)
{
    auto end = co_await par(says_at(seconds(3), "c", d), says_at(seconds(1), "a", d), says_at(seconds(2), "b", d));
    EXPECT_EQ(end.faulted, 0U);
    d->push_back("end");
}

TEST(Par, EndsWhenAllHaveEnded)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        k.start(runs_three(notebook(d)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("a", "b", "c", "end"));
    });
}

process runs_many(int how_many, notebook<diary> d)
{
    std::vector<process> all;
    for (int i = 0; i < how_many; ++i) all.push_back(says_at(seconds(i), std::to_string(i), d));
    auto end = co_await par(std::move(all));
    EXPECT_EQ(end.faulted, 0U);
    d->push_back("end");
}

TEST(Par, TakesAsManyAsThereAre)
{
    for_seeds(200, [](std::uint64_t seed) {
        for (const int how_many : {0, 1, 5}) {
            diary d;
            test_kernel k(seed);
            k.start(runs_many(how_many, notebook(d)));
            EXPECT_THAT(k.run(), IsEmpty());
            EXPECT_EQ(d.size(), static_cast<std::size_t>(how_many) + 1);
            EXPECT_EQ(d.back(), "end");
        }
    });
}

process counts_faults(notebook<diary> d)
{
    auto end = co_await par(throws_at(seconds(1)), says_at(seconds(2), "lives on", d), throws_at(seconds(3)));
    d->push_back(std::to_string(end.faulted) + " faults");
}

TEST(Par, TellsOfFaultsAndLeavesTheOthersAlone)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        k.on().set_fault_listener(hears_nothing);
        k.start(counts_faults(notebook(d)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("lives on", "2 faults"));
        EXPECT_EQ(k.faulted(), 0U);  // the owner heard of it and ended well
    });
}

// ---- faults

std::string last_fault;
void remembers(const record& r, const char* what) noexcept { last_fault = name_of(r) + ": " + what; }

process throws_a_number()
{
    co_await yield();
    throw 42;
}

TEST(Fault, IsHeardByTheListenerWithTheNameOfTheProcess)
{
    test_kernel k(1);
    k.on().set_fault_listener(remembers);
    k.start(throws_at(seconds(1)));
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_EQ(last_fault, "throws_at: lost");
    k.start(throws_a_number().named("the thrower"));
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_EQ(last_fault, "the thrower: an exception that is no std::exception");
    EXPECT_EQ(k.faulted(), 2U);
}

process throws_with_an_end(out<int> to_reader)
{
    co_await to_reader.output(1);
    throw std::runtime_error("lost");
}
process reads_to_the_end(in<int> values, notebook<diary> d)
{
    while (co_await values.input()) d->push_back("message");
    d->push_back("closed");
}

TEST(Fault, ClosesTheEndsOfTheProcess)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        k.on().set_fault_listener(hears_nothing);
        chan<int> c;
        k.start(throws_with_an_end(c.tx()));
        k.start(reads_to_the_end(c.rx(), notebook(d)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("message", "closed"));
    });
}

// ---- who hears of a fault

process stays(in<int> values) { co_await values.input(); }
process starts_one_that_throws(duration when, in<int> values)
{
    co_await par(throws_at(when), stays(std::move(values)));
}
process can_do_without(duration when)
{
    forking children(faults::contained);
    children.start(throws_at(when));
    const auto end = co_await children.join();
    EXPECT_EQ(end.faulted, 1U);
}
process hears_of_faults(std::vector<process> below, notebook<diary> d)
{
    forking all(faults::heard);
    for (process& p : below) all.start(std::move(p));
    const auto end = co_await all.until_fault();
    d->push_back(end.first_fault == nullptr ? "none" : std::string(plain_name(end.first_fault)));
    co_await all.join();
    d->push_back("end");
}

TEST(Fault, IsToldWhoeverHearsOfItHoweverFarAboveAndAtOnce)
{
    for_seeds(100, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        k.on().set_fault_listener(hears_nothing);
        chan<int> c;
        std::optional<out<int>> open(c.tx());
        std::vector<process> below;
        below.push_back(starts_one_that_throws(seconds(2), c.rx()));
        below.push_back(can_do_without(seconds(1)));
        k.start(hears_of_faults(std::move(below), notebook(d)));
        k.run_for(seconds(1));
        EXPECT_THAT(d, IsEmpty()) << "a contained fault is nobody's business";
        k.run_for(seconds(1));
        EXPECT_THAT(d, ElementsAre("throws_at")) << "though others of its family go on";
        open.reset();
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("throws_at", "end"));
    });
}

TEST(Fault, WhoHearsOfNoneHearsOfTheEnd)
{
    diary d;
    test_kernel k(1);
    k.on().set_fault_listener(hears_nothing);
    std::vector<process> below;
    below.push_back(can_do_without(seconds(1)));
    k.start(hears_of_faults(std::move(below), notebook(d)));
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_THAT(d, ElementsAre("none", "end"));
}

process does_without_memory(notebook<diary> d)
{
    EXPECT_TRUE(attempt([] {}));
    EXPECT_FALSE(attempt([] { throw std::bad_alloc(); }));
    d->push_back("goes on");
    co_return;
}

TEST(Fault, OfAnAttemptIsSurvived)
{
    diary d;
    test_kernel k(1);
    k.on().set_fault_listener(hears_nothing);
    k.start(does_without_memory(notebook(d)));
    EXPECT_THAT(k.run(), IsEmpty());
    EXPECT_EQ(k.faulted(), 0U);
    EXPECT_THAT(d, ElementsAre("goes on"));
}

// ---- FORK

process forks_and_joins(notebook<diary> d)
{
    forking children;
    for (int i = 3; i > 0; --i) children.start(says_at(seconds(i), std::to_string(i), d));
    co_await sleep(seconds(1));
    children.start(throws_at(seconds(1)));
    EXPECT_LE(children.living(), 4U);
    auto end = co_await children.join();
    EXPECT_EQ(end.faulted, 1U);
    EXPECT_EQ(children.living(), 0U);
    d->push_back("joined");
    children.start(says_at(seconds(1), "once more", d));
    end = co_await children.join();
    d->push_back("joined");
}

TEST(Forking, JoinsAsOftenAsItLikes)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        k.on().set_fault_listener(hears_nothing);
        k.start(forks_and_joins(notebook(d)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("1", "2", "3", "joined", "once more", "joined"));
    });
}

process leaves_orphans(int generations, notebook<diary> d)
{
    forking first;
    first.start(says_at(seconds(generations), "orphan", d));
    {
        forking second;
        second.start(says_at(seconds(2 * generations), "orphan", d));
    }
    if (generations > 1) first.start(leaves_orphans(generations - 1, d));
    co_return;
}
process waits_for_a_parent_of_orphans(notebook<diary> d)
{
    auto end = co_await par(leaves_orphans(3, d));
    EXPECT_EQ(end.faulted, 0U);
    d->push_back("end");
}

TEST(Forking, OrphansAreWaitedForByWhoeverWaitsForTheirParent)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        k.start(waits_for_a_parent_of_orphans(notebook(d)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("orphan", "orphan", "orphan", "orphan", "orphan", "orphan", "end"));
    });
}

process throws_in_its_scope(notebook<diary> d)
{
    forking children;
    children.start(says_at(seconds(2), "orphan", d));
    co_await sleep(seconds(1));
    throw std::runtime_error("lost");
}
process waits_for_one_who_throws(notebook<diary> d)
{
    auto end = co_await par(throws_in_its_scope(d));
    EXPECT_EQ(end.faulted, 1U);
    d->push_back("end");
}

TEST(Forking, AnExceptionInItsScopeLeavesOrphansToo)
{
    for_seeds(200, [](std::uint64_t seed) {
        diary d;
        test_kernel k(seed);
        k.on().set_fault_listener(hears_nothing);
        k.start(waits_for_one_who_throws(notebook(d)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(d, ElementsAre("orphan", "end"));
    });
}

process counts_itself(notebook<int> count)
{
    ++*count;
    co_return;
}
process forks_one_by_one(int how_many, notebook<int> ended)
{
    forking children;
    for (int i = 0; i < how_many; ++i) {
        children.start(counts_itself(ended));
        auto end = co_await children.join();
        EXPECT_EQ(end.faulted, 0U);
    }
}

TEST(Forking, ReusesTheFramesOfTheDead)
{
    int ended = 0;
    const auto before = frame_pool::live();
    {
        test_kernel k(1);
        k.start(forks_one_by_one(1000, notebook(ended)));
        EXPECT_THAT(k.run(), IsEmpty());
    }
    EXPECT_EQ(ended, 1000);
    EXPECT_EQ(frame_pool::live().blocks, before.blocks);
    EXPECT_EQ(frame_pool::live().bytes, before.bytes);
}

}  // namespace
}  // namespace csp
