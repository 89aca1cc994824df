// SPDX-License-Identifier: MIT
#include "server/cgi_farm/cgi_desk.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "csp/ask.hpp"
#include "csp/bridge.hpp"
#include "csp/test_kernel.hpp"
#include "csp/test_support.hpp"
#include "csp/testing.hpp"
#include "csp/timer.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

/// What came of the requests, in the order in which it became known.
struct story {
    std::vector<unsigned> granted;
    std::vector<unsigned> too_many;
    std::vector<unsigned> too_long;
    unsigned running = 0;
    unsigned most_running = 0;

    void note(unsigned number, place_answer how)
    {
        (how == place_answer::granted    ? granted
         : how == place_answer::too_many ? too_many
                                         : too_long)
            .push_back(number);
    }
};

struct limits {
    std::uint32_t running = 1;
    std::uint32_t waiting = 100;
    std::chrono::seconds wait = 30s;
};

/// Asks for a place, and has it for some time.
csp::process runs_a_program(unsigned number, limits of, std::chrono::milliseconds time,
                            csp::bridge_out<place_order> to_desk, csp::notebook<story> notes)
{
    place_request asks{.of = "/cgi-bin/*", .running = of.running, .waiting = of.waiting, .wait = of.wait, .by = {}};
    asks.by.request = number;
    const auto how = co_await csp::ask(to_desk, std::move(asks));
    notes->note(number, how.value());
    if (how != place_answer::granted) co_return;
    notes->most_running = std::max(notes->most_running, ++notes->running);
    co_await csp::sleep(time);
    --notes->running;
    co_await to_desk.output(place_returned{.of = "/cgi-bin/*", .how = program_end::failed});
}

csp::process withdraws(unsigned number, csp::bridge_out<place_order> to_desk)
{
    place_withdrawn w{.of = "/cgi-bin/*", .by = {}};
    w.by.request = number;
    co_await to_desk.output(std::move(w));
}

csp::process asks_for_views(csp::bridge_out<place_order> to_desk, csp::notebook<programs_view> seen)
{
    *seen = (co_await csp::ask(to_desk, places_question{})).value_or(programs_view());
}

/// Fails while it waits.
csp::process does_not_take_the_answer(csp::bridge_out<place_order> to_desk)
{
    csp::bridge<place_answer> answer(csp::core::here());
    csp::in<place_answer> answers = answer.rx();
    co_await to_desk.output(
        place_request{.of = "/cgi-bin/*", .running = 1, .waiting = 100, .wait = 30s, .by = {}, .answer = answer.tx()});
}

class desk_under_test {
  public:
    explicit desk_under_test(std::uint64_t seed) : k_(seed), orders_(k_.on()), to_desk_(orders_.tx())
    {
        k_.start(cgi_desk(orders_.rx()));
    }
    void run(unsigned number, limits of, std::chrono::milliseconds time = 1s)
    {
        k_.start(runs_a_program(number, of, time, to_desk_, csp::notebook(notes_)));
    }
    void withdraw(unsigned number) { k_.start(withdraws(number, to_desk_)); }
    void forsake() { k_.start(does_not_take_the_answer(to_desk_)); }
    std::vector<places_view> views()
    {
        programs_view seen;
        k_.start(asks_for_views(to_desk_, csp::notebook(seen)));
        settle();
        return seen.routes;
    }
    void settle() { k_.run_until_quiescent(); }
    void let_time_pass(std::chrono::milliseconds time) { k_.run_for(time); }
    void expect_end()
    {
        to_desk_ = {};
        settle();
        EXPECT_TRUE(k_.all_ended()) << k_.post_mortem();
        EXPECT_EQ(k_.faulted(), 0U);
    }
    [[nodiscard]] const story& notes() const { return notes_; }

  private:
    csp::test_kernel k_;
    csp::bridge<place_order> orders_;
    csp::bridge_out<place_order> to_desk_;
    story notes_;
};

TEST(CgiDesk, APlaceThatNobodyTakesIsFree)
{
    csp::for_seeds(50, [](std::uint64_t seed) {
        desk_under_test desk(seed);
        desk.run(1, {});
        desk.settle();
        desk.forsake();
        desk.settle();
        desk.run(2, {});
        desk.let_time_pass(10s);
        EXPECT_THAT(desk.notes().granted, ElementsAre(1, 2));
        EXPECT_EQ(desk.views().at(0).running, 0U);
        desk.expect_end();
    });
}

TEST(CgiDesk, GrantsPlacesInTheOrderOfTheRequests)
{
    csp::for_seeds(50, [](std::uint64_t seed) {
        desk_under_test desk(seed);
        for (unsigned n = 1; n <= 6; ++n) {
            desk.run(n, {.running = 2}, 1s + n * 10ms);  // no two end at the same time
            desk.settle();
        }
        desk.let_time_pass(10s);
        EXPECT_THAT(desk.notes().granted, ElementsAre(1, 2, 3, 4, 5, 6));
        EXPECT_EQ(desk.notes().most_running, 2U);
        desk.expect_end();
    });
}

TEST(CgiDesk, RefusesBeyondTheNumberThatMayWait)
{
    csp::for_seeds(50, [](std::uint64_t seed) {
        desk_under_test desk(seed);
        for (unsigned n = 1; n <= 5; ++n) {
            desk.run(n, {.running = 1, .waiting = 2});
            desk.settle();
        }
        EXPECT_THAT(desk.notes().too_many, ElementsAre(4, 5));
        desk.let_time_pass(10s);
        EXPECT_THAT(desk.notes().granted, ElementsAre(1, 2, 3));
        desk.expect_end();
    });
}

TEST(CgiDesk, RefusesAfterTheLongestWait)
{
    csp::for_seeds(50, [](std::uint64_t seed) {
        desk_under_test desk(seed);
        desk.run(1, {}, 60s);
        desk.settle();
        desk.run(2, {.wait = 5s});
        desk.run(3, {.wait = 100s});
        desk.let_time_pass(4s);
        EXPECT_THAT(desk.notes().too_long, ElementsAre());
        desk.let_time_pass(2s);
        EXPECT_THAT(desk.notes().too_long, ElementsAre(2));
        desk.let_time_pass(60s);
        EXPECT_THAT(desk.notes().granted, ElementsAre(1, 3));
        desk.expect_end();
    });
}

TEST(CgiDesk, AnswersWhatIsWithdrawnOnce)
{
    csp::for_seeds(50, [](std::uint64_t seed) {
        desk_under_test desk(seed);
        desk.run(1, {});
        desk.settle();
        desk.run(2, {});
        desk.settle();
        desk.withdraw(2);
        desk.settle();
        EXPECT_THAT(desk.notes().too_long, ElementsAre(2));
        desk.withdraw(1);  // which has its place already
        desk.let_time_pass(2s);
        desk.run(3, {});
        desk.let_time_pass(2s);
        EXPECT_THAT(desk.notes().granted, ElementsAre(1, 3));
        desk.expect_end();
    });
}

TEST(CgiDesk, CountsWhatHasHappened)
{
    desk_under_test desk(1);
    EXPECT_THAT(desk.views(), testing::IsEmpty());
    desk.run(1, {.running = 1, .waiting = 1});
    desk.settle();
    desk.run(2, {.running = 1, .waiting = 1});
    desk.settle();
    desk.run(3, {.running = 1, .waiting = 1});
    desk.settle();
    const auto during = desk.views();
    ASSERT_EQ(during.size(), 1U);
    EXPECT_EQ(during.front().of, "/cgi-bin/*");
    EXPECT_EQ(during.front().running, 1U);
    EXPECT_EQ(during.front().waiting, 1U);
    EXPECT_EQ(during.front().refused, 1U);
    desk.let_time_pass(10s);
    const auto after = desk.views();
    ASSERT_EQ(after.size(), 1U);
    EXPECT_EQ(after.front().running, 0U);
    EXPECT_EQ(after.front().started, 2U);
    EXPECT_EQ(after.front().failed, 2U);
    desk.expect_end();
}

}  // namespace
}  // namespace server
