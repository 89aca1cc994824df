// SPDX-License-Identifier: MIT
#include "server/log/log_opener.hpp"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/timer.hpp"
#include "io/blocking.hpp"
#include "server/messages/stop.hpp"

namespace server {
namespace {

log_answer answer_to(const log_wanted& wanted)
{
    if (wanted.what == log_wanted::kind::check) {
        if (auto why = why_no_log(wanted.where)) return std::unexpected(std::move(*why));
        return std::nullopt;
    }
    auto log = open_log(wanted.where, wanted.stream);
    if (!log) return std::unexpected(std::move(log.error()));
    return std::move(*log);
}

}  // namespace

csp::process log_opener(log_wanted wanted, csp::out<log_answer> answer)
{
    auto done = co_await io::by_log_thread([&] { return answer_to(wanted); });
    if (done) {
        co_await answer.output(std::move(*done));
    } else {
        co_await answer.output(
            std::unexpected(fmt::format("cannot open the log {}: {}", wanted.where, done.error().text)));
    }
}

csp::step<void> log_openers::forget_answered()
{
    for (auto at = unanswered_.begin(); at != unanswered_.end();) {
        if (co_await csp::pri_alt(at->answers, csp::skip) == at->answers) {
            (void)co_await at->answers.input();
            at = unanswered_.erase(at);
        } else {
            ++at;
        }
    }
}

csp::step<log_answer> log_openers::ask(log_wanted wanted, csp::in<stop>& ending)
{
    co_await forget_answered();
    // Each opener occupies one of a few threads: a second one for the same log would block other logs.
    if (std::ranges::find(unanswered_, wanted.where, &one::where) != unanswered_.end()) {
        co_return std::unexpected(no_answer_from(wanted.where));
    }
    csp::chan<log_answer> reply;
    unanswered_.push_back({wanted.where, reply.rx()});
    openers_.start(log_opener(std::move(wanted), reply.tx()));
    one& asked = unanswered_.back();
    const csp::timeout too_late = csp::after(patience_with_file_system);
    const auto chosen = co_await csp::pri_alt(ending, asked.answers, too_late);
    if (chosen == ending) co_return std::unexpected("the server is ending");
    if (chosen == too_late) co_return std::unexpected(no_answer_from(asked.where));
    auto answer = co_await asked.answers.input();
    unanswered_.pop_back();
    if (!answer) co_return std::unexpected("out of memory");
    co_return std::move(*answer);
}

}  // namespace server
