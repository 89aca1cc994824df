// SPDX-License-Identifier: MIT
#include "server/control/roll_call.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "csp/post_mortem.hpp"

namespace server {
namespace {

/// The census of this core, with the thousand cache processes as one line.
std::vector<like_processes> processes_here()
{
    std::vector<like_processes> all;
    for (csp::living_process& p : csp::census(csp::core::here())) {
        const std::string_view file = p.where.file_name();
        std::string where = fmt::format("{}:{}", file.substr(file.rfind('/') + 1), p.where.line());
        const auto like =
            std::ranges::find_if(all, [&](const like_processes& l) { return l.name == p.name && l.where == where; });
        if (like != all.end()) {
            ++like->count;
        } else {
            all.push_back({1, std::move(p.name), std::move(where), std::move(p.waits_for)});
        }
    }
    return all;
}

}  // namespace

head_count roll::heads() const
{
    head_count sum;
    for (const core_answer& c : cores) {
        sum.connections += c.heads.connections;
        sum.under_way += c.heads.under_way;
        sum.requests += c.heads.requests;
    }
    return sum;
}

csp::process watchman(csp::in<core_question> asked, csp::out<count_question> to_parking,
                      csp::in<head_count> from_parking, csp::bridge_out<core_answer> to_roll_call)
{
    while (const auto question = co_await asked.input()) {
        core_answer answer{.core = csp::core::here().index(), .heads = {}, .processes = {}};
        if (co_await to_parking.output({})) answer.heads = (co_await from_parking.input()).value_or(head_count());
        if (question->wanted == detail::processes) answer.processes = processes_here();
        co_await to_roll_call.output(std::move(answer));
    }
}

csp::process lone_watchman(csp::in<core_question> asked, csp::bridge_out<core_answer> to_roll_call)
{
    while (const auto question = co_await asked.input()) {
        core_answer answer{.core = csp::core::here().index(), .heads = {}, .processes = {}};
        if (question->wanted == detail::processes) answer.processes = processes_here();
        co_await to_roll_call.output(std::move(answer));
    }
}

csp::process roll_call(csp::in<roll_question> asked, std::vector<csp::bridge_out<core_question>> to_cores,
                       csp::in<core_answer> answers)
{
    while (auto question = co_await asked.input()) {
        roll all;
        std::size_t expected = 0;
        for (auto& to_core : to_cores) expected += co_await to_core.output({question->wanted}) ? 1 : 0;
        for (; expected > 0; --expected) {
            auto answer = co_await answers.input();
            if (!answer) co_return;
            all.cores.push_back(std::move(*answer));
        }
        std::ranges::sort(all.cores, {}, &core_answer::core);
        co_await question->answer.output(std::move(all));
    }
}

}  // namespace server
