// SPDX-License-Identifier: MIT
#include "server/log/log_opener.hpp"

#include <algorithm>
#include <utility>

#include "csp/alt.hpp"
#include "csp/timer.hpp"
#include "server/messages/stop.hpp"

namespace server {
namespace {

csp::step<log_answer> check_file(std::string path, const steward_line& steward)
{
    auto may = co_await steward.check_log(std::move(path));
    if (!may) co_return std::unexpected(std::move(may.error()));
    co_return std::nullopt;
}

csp::step<log_answer> open_file(log_target target, const steward_line& steward)
{
    auto file = co_await steward.open_log(target.text);
    if (!file) co_return std::unexpected(std::move(file.error()));
    co_return log_destination{.target = std::move(target), .file = std::move(*file)};
}

/// Opens a log that is no file, which cannot hang.
log_answer open_other(const log_wanted& wanted)
{
    if (wanted.what == log_wanted::kind::check) return std::nullopt;
    auto log = open_log(wanted.where, wanted.stream);
    if (!log) return std::unexpected(std::move(log.error()));
    return std::move(*log);
}

}  // namespace

csp::process log_opener(log_wanted wanted, steward_line steward, csp::out<log_answer> answer)
{
    auto target = parse_log_target(wanted.where);
    log_answer done = std::nullopt;
    if (!target) {
        done = std::unexpected(std::move(target.error()));
    } else if (target->what != log_target::kind::file) {
        done = open_other(wanted);
    } else if (wanted.what == log_wanted::kind::check) {
        done = co_await check_file(std::move(target->text), steward);
    } else {
        done = co_await open_file(std::move(*target), steward);
    }
    co_await answer.output(std::move(done));
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
    // A second opener for the same log would hang too.
    if (std::ranges::find(unanswered_, wanted.where, &one::where) != unanswered_.end()) {
        co_return std::unexpected(no_answer_from(wanted.where));
    }
    csp::chan<log_answer> reply;
    unanswered_.push_back({wanted.where, reply.rx()});
    openers_.start(log_opener(std::move(wanted), steward_.another(), reply.tx()));
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
