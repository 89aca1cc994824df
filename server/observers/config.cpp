// SPDX-License-Identifier: MIT
#include "server/observers/config.hpp"

#include <expected>
#include <utility>

#include <fmt/core.h>

#include "server/command_line.hpp"

namespace server {
namespace {

/// A configuration as it was read, and what each core is to be sent of it.
struct new_configuration {
    settings read;
    std::vector<policy> policies;
};

std::expected<new_configuration, std::vector<std::string>> read_again(const std::vector<std::string>& words,
                                                                      std::size_t cores)
{
    auto read = read_command_line_again(words);
    if (!read) return std::unexpected(std::move(read.error()));
    new_configuration next{.read = std::move(*read), .policies = {}};
    for (std::size_t i = 0; i < cores; ++i) {
        auto p = make_policy(next.read);
        if (!p) return std::unexpected(std::move(p.error()));
        next.policies.push_back(std::move(*p));
    }
    return next;
}

/// What of `next` differs and cannot be changed while the server runs. It stays as it is in force.
std::vector<std::string> what_must_wait(const settings& in_force, settings& next)
{
    std::vector<std::string> notes;
    const auto keep = [&](const auto& now, auto& then, std::string_view name) {
        if (now != then) notes.push_back(fmt::format("`{}` changes when the server is started again", name));
        then = now;
    };
    if (next.workers == 0) next.workers = in_force.workers;  // as many as there are, which was found out at the start
    keep(in_force.workers, next.workers, "workers");
    keep(in_force.engine, next.engine, "io");
    keep(in_force.spare_workers, next.spare_workers, "spare_workers");
    keep(in_force.listen, next.listen, "listen");
    keep(in_force.log.access, next.log.access, "access");
    keep(in_force.log.error, next.log.error, "error");
    keep(in_force.log.form, next.log.form, "format");
    keep(in_force.cache.pages, next.cache.pages, "pages");
    keep(in_force.cache.memory, next.cache.memory, "memory_bytes");
    keep(in_force.patience.grace, next.patience.grace, "grace_seconds");
    keep(in_force.clients.connections_per_address, next.clients.connections_per_address, "connections_per_address");
    keep(in_force.clients.requests_per_second, next.clients.requests_per_second, "requests_per_second_per_address");
    keep(in_force.clients.burst, next.clients.burst, "requests_burst_per_address");
    return notes;
}

}  // namespace

csp::process config(settings in_force, std::vector<std::string> words, csp::in<reload_request> requests,
                    std::vector<csp::bridge_out<policy>> to_cores, csp::shared_out<log_lines> to_log)
{
    while (auto request = co_await requests.input()) {
        reload_answer result;
        auto next = read_again(words, to_cores.size());
        if (next) {
            result.notes = std::move(next->read.warnings);
            for (std::string& note : what_must_wait(in_force, next->read)) result.notes.push_back(std::move(note));
            in_force = std::move(next->read);
            for (std::size_t i = 0; i < to_cores.size(); ++i) {
                co_await to_cores[i].output(std::move(next->policies[i]));
            }
        } else {
            result.mistakes = std::move(next.error());
        }
        for (const std::string& m : result.mistakes) co_await to_log.output(error_line("error", m));
        for (const std::string& n : result.notes) co_await to_log.output(error_line("warning", n));
        co_await to_log.output(
            result.taken() ? error_line("notice", fmt::format("{}: the configuration was read again and is in force",
                                                              request->who))
                           : error_line("error", fmt::format("{}: the configuration stays as it was", request->who)));
        co_await request->answer.output(std::move(result));
    }
}

}  // namespace server
