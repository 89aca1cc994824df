// SPDX-License-Identifier: MIT
//
// Operations that must succeed without memory: a process ends, it reports to its family, mail of another core arrives.
#include <algorithm>
#include <cstddef>
#include <new>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>

#include "csp/bridge.hpp"
#include "csp/forking.hpp"
#include "csp/kernel.hpp"
#include "csp/post_mortem.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

void limit_memory(rlim_t most)
{
    rlimit now{};
    getrlimit(RLIMIT_AS, &now);
    now.rlim_cur = std::min(most, now.rlim_max);
    setrlimit(RLIMIT_AS, &now);
}

template <class Allocate>
void allocate_until_refused(Allocate allocate)
{
    try {
        for (;;) allocate();
    } catch (const std::bad_alloc&) {
        return;
    }
}

/// From now on, every allocation of this thread fails. Only for a child process: nothing is freed again.
void use_up_memory()
{
    limit_memory(0);
    for (std::size_t bytes = 1 << 20; bytes >= 16; bytes /= 2) {
        allocate_until_refused([&] { return ::operator new(bytes); });
    }
    for (std::size_t bytes = 2048; bytes >= 16; bytes -= 16) {
        allocate_until_refused([&] { return frame_pool::allocate(bytes); });
    }
}

struct report {
    bool is_as_expected = false;
};

/// Runs a process on a core of its own, in which memory may run out, and ends with exit code 0 if it reports success.
[[noreturn]] void run_in_this_process(process (*make)(notebook<kernel>, notebook<report>))
{
    kernel k({.cores = 2});
    report found;
    const bool finished = k.run(make(notebook(k), notebook(found))) == outcome::finished;
    _exit(finished && found.is_as_expected ? 0 : 1);
}

/// Each test runs in a child process, where memory may be used up. A sanitizer has an allocator of its own, which has
/// no limit.
class shortage : public testing::Test {
  protected:
    void SetUp() override
    {
        if (CSP_PLAIN_FRAMES != 0) GTEST_SKIP() << "built with a sanitizer";
    }
    static void expect_success(process (*make)(notebook<kernel>, notebook<report>))
    {
        EXPECT_EXIT(run_in_this_process(make), testing::ExitedWithCode(0), "");
    }
};

process ends()
{
    use_up_memory();
    co_return;
}
process hears_of_an_end(notebook<kernel> k, notebook<report> found)
{
    forking elsewhere;
    elsewhere.start_on(k->at(1), ends());
    const family_end end = co_await elsewhere.join();
    limit_memory(RLIM_INFINITY);
    found->is_as_expected = end.faulted == 0 && elsewhere.living() == 0;
}
TEST_F(shortage, DoesNotConcernTheEndOfAProcessOnAnotherCore) { expect_success(hears_of_an_end); }

process throws()
{
    use_up_memory();
    co_await yield();
    throw std::bad_alloc();
}
process goes_on_after_a_fault_below(in<int> until_closed)
{
    forking below;
    below.start(throws());
    co_await until_closed.input();
    co_await below.join();
}
process hears_of_a_fault_below(notebook<kernel> k, notebook<report> found)
{
    forking elsewhere(faults::heard);
    bridge<int> b(k->at(1));
    {
        const auto open = b.tx();
        elsewhere.start_on(k->at(1), goes_on_after_a_fault_below(b.rx()));
        co_await elsewhere.until_fault();
        found->is_as_expected = elsewhere.living() == 1 && elsewhere.faulted() == 0;
    }
    const family_end end = co_await elsewhere.join();
    limit_memory(RLIM_INFINITY);
    found->is_as_expected &= end.faulted == 0 && plain_name(end.first_fault) == "throws";
}
TEST_F(shortage, DoesNotConcernAFaultOnAnotherCore) { expect_success(hears_of_a_fault_below); }

process reads_one(bridge_out<int> to_writer, in<int> values)
{
    use_up_memory();
    co_await to_writer.output(0);
    co_await values.input();
}
process claims_from_afar(notebook<kernel> k, notebook<report> found)
{
    forking elsewhere;
    bridge<int> there(k->at(1));
    bridge<int> back(k->at(0));
    auto to_reader = there.tx();
    auto ready = back.rx();
    elsewhere.start_on(k->at(1), reads_one(back.tx(), there.rx()));
    co_await ready.input();
    {
        auto turn = co_await to_reader.claim();
        found->is_as_expected = co_await turn.output(1);
    }
    co_await elsewhere.join();
    limit_memory(RLIM_INFINITY);
}
TEST_F(shortage, DoesNotConcernAClaimThatCrossesCores) { expect_success(claims_from_afar); }

process goes_on_after_a_post_mortem()
{
    use_up_memory();
    core::here().request_post_mortem();
    for (int i = 0; i < 1000; ++i) co_await yield();  // more than a round of the scheduler
}
process asks_for_a_post_mortem(notebook<kernel> k, notebook<report> found)
{
    forking elsewhere;
    elsewhere.start_on(k->at(1), goes_on_after_a_post_mortem());
    const family_end end = co_await elsewhere.join();
    limit_memory(RLIM_INFINITY);
    found->is_as_expected = end.faulted == 0;
}
TEST_F(shortage, MakesAPostMortemImpossibleAndNoMore)
{
    EXPECT_EXIT(run_in_this_process(asks_for_a_post_mortem), testing::ExitedWithCode(0), "not enough memory to print");
}

}  // namespace
}  // namespace csp
