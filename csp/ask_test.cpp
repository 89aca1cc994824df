// SPDX-License-Identifier: MIT
#include "csp/ask.hpp"

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>

#include "csp/forking.hpp"
#include "csp/kernel.hpp"
#include "csp/par.hpp"
#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

using std::chrono::seconds;
using testing::Each;
using testing::Eq;
using testing::IsEmpty;
using testing::SizeIs;

struct sum_question {
    int a = 0;
    int b = 0;
    out<int> answer = {};
};
struct name_question {
    out<std::string> answer = {};
};
struct far_question {
    int number = 0;
    bridge_out<int> answer = {};
};
using any_question = std::variant<sum_question, name_question>;

static_assert(question<sum_question> && question<name_question> && question<far_question>);
static_assert(!question<int> && !question<any_question>);

process adds(in<sum_question> questions)
{
    while (auto q = co_await questions.input()) co_await q->answer.output(q->a + q->b);
}
process asks_sums(int times, shared_out<sum_question> to_adder, notebook<std::vector<bool>> right)
{
    for (int i = 0; i < times; ++i) {
        const auto sum = co_await ask(to_adder, sum_question{.a = i, .b = 2 * i});
        right->push_back(sum == 3 * i);
    }
}

TEST(Ask, GivesEachClientItsOwnAnswer)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<bool> right;
        test_kernel k(seed);
        {
            chan<sum_question> questions;
            k.start(adds(questions.rx()));
            for (int i = 0; i < 4; ++i) k.start(asks_sums(5, questions.shared_tx(), notebook(right)));
        }
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(right, SizeIs(20));
        EXPECT_THAT(right, Each(true));
    });
}

process drops_one_answers_one(in<sum_question> questions)
{
    {
        const auto dropped = co_await questions.input();
        co_await sleep(seconds(1));
    }
    if (auto q = co_await questions.input()) co_await q->answer.output(1);
}
process asks_three_times(out<sum_question> to_server, notebook<std::vector<std::optional<int>>> answers)
{
    for (int i = 0; i < 3; ++i) answers->push_back(co_await ask(to_server, sum_question{}));
}

TEST(Ask, IsEmptyWhenTheQuestionIsDroppedOrTheServerHasEnded)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<std::optional<int>> answers;
        test_kernel k(seed);
        chan<sum_question> questions;
        k.start(drops_one_answers_one(questions.rx()));
        k.start(asks_three_times(questions.tx(), notebook(answers)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(answers, testing::ElementsAre(Eq(std::nullopt), Eq(1), Eq(std::nullopt)));
    });
}

// The server may keep a question, and answer others before it.
process answers_in_reverse(in<sum_question> questions)
{
    std::vector<sum_question> kept;
    while (kept.size() < 3) kept.push_back(*co_await questions.input());
    for (; !kept.empty(); kept.pop_back()) co_await kept.back().answer.output(kept.back().a);
}
process asks_one(int a, shared_out<sum_question> to_server, notebook<std::vector<bool>> right)
{
    right->push_back(co_await ask(to_server, sum_question{.a = a}) == a);
}

TEST(Ask, LetsTheServerAnswerLater)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<bool> right;
        test_kernel k(seed);
        chan<sum_question> questions;
        k.start(answers_in_reverse(questions.rx()));
        for (int i = 0; i < 3; ++i) k.start(asks_one(i, questions.shared_tx(), notebook(right)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(right, testing::ElementsAre(true, true, true));
    });
}

process knows_its_name(in<any_question> questions)
{
    while (auto q = co_await questions.input()) {
        if (auto* const sum = std::get_if<sum_question>(&*q)) co_await sum->answer.output(sum->a + sum->b);
        if (auto* const name = std::get_if<name_question>(&*q)) co_await name->answer.output("Ada");
    }
}
process asks_both(out<any_question> to_server, notebook<std::vector<std::string>> heard)
{
    const auto name = co_await ask(to_server, name_question{});
    const auto sum = co_await ask(to_server, sum_question{.a = 1, .b = 1});
    heard->push_back(name.value_or("nobody") + std::to_string(sum.value_or(0)));
}

TEST(Ask, SharesAChannelAmongSeveralKindsOfQuestion)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<std::string> heard;
        test_kernel k(seed);
        chan<any_question> questions;
        k.start(knows_its_name(questions.rx()));
        k.start(asks_both(questions.tx(), notebook(heard)));
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_THAT(heard, testing::ElementsAre("Ada2"));
    });
}

process doubles(in<far_question> questions)
{
    while (auto q = co_await questions.input()) co_await q->answer.output(2 * q->number);
}
process asks_afar(bridge_out<far_question> to_server)
{
    for (int i = 0; i < 200; ++i) EXPECT_EQ(co_await ask(to_server, far_question{.number = i}), 2 * i);
}
process from_core_to_core()
{
    core& other = core::here().sibling(1);
    forking all;
    bridge<far_question> questions(other);
    all.start_on(other, doubles(questions.rx()));
    co_await par(asks_afar(questions.tx()), asks_afar(questions.tx()));
}

TEST(Ask, CrossesCores) { EXPECT_EQ(kernel({.cores = 2}).run(from_core_to_core()), outcome::finished); }

}  // namespace
}  // namespace csp
