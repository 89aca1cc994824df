// SPDX-License-Identifier: MIT
#include "server/stats/stats.hpp"

#include <utility>

#include "csp/alt.hpp"

namespace server {
namespace {

constexpr std::chrono::minutes slow_remembered{5};

void add(figures& all, const tally& more)
{
    all.sum += more;
    all.slow.forget_before(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) -
                           slow_remembered);
    for (const slow_request& r : more.slow) all.slow.add(r);
}

}  // namespace

csp::process stats(csp::in<tally> told, csp::in<figures_question> asked, csp::out<tally> totals)
{
    figures all;
    for (;;) {
        const auto chosen = co_await csp::fair_alt(told, csp::while_open(asked));

        if (chosen == told) {
            const auto more = co_await told.input();
            if (!more) break;
            add(all, *more);
        } else {
            auto question = co_await asked.input();
            co_await question->answer.output(all);
        }
    }
    co_await totals.output(all.sum);
}

}  // namespace server
