// SPDX-License-Identifier: MIT
#include "server/lifecycle/config.hpp"

#include <algorithm>
#include <array>
#include <expected>
#include <iterator>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "csp/bridge.hpp"
#include "server/commands/command_line.hpp"
#include "server/configuration/programs.hpp"
#include "server/log/log_opener.hpp"
#include "server/messages/stop.hpp"
#include "server/service/descriptors.hpp"
#include "server/service/listeners.hpp"
#include "server/service/prospects.hpp"
#include "server/service/prospects_of_programs.hpp"

namespace server {
namespace {

using mistakes = std::vector<std::string>;

/// A change of the logs, and the end at which its completion is reported.
struct new_logs {
    log_change change;
    csp::in<log_turn> complete;
};

/// A configuration that was read, and all that is sent if it is put in force.
struct new_configuration {
    settings read = {};
    std::vector<freezable_policy> policies = {};  // for each core
    address_change addresses = {};
    std::optional<new_logs> logs = {};  // none: the logs do not change
    reload_answer answer = {};
};

/// Keeps in `next` what cannot change while the server runs. Yields a message for each such key that differs.
std::vector<std::string> what_must_wait(const settings& in_force, settings& next)
{
    std::vector<std::string> notes;
    const auto keep = [&](const auto& now, auto& then, std::string_view name) {
        if (now != then) notes.push_back(fmt::format("`{}` takes effect after a restart", name));
        then = now;
    };
    if (next.workers == 0) next.workers = in_force.workers;  // 0: the number of processors, determined at the start
    keep(in_force.workers, next.workers, "workers");
    keep(in_force.engine, next.engine, "io");
    keep(in_force.spare_workers, next.spare_workers, "spare_workers");
    keep(in_force.control, next.control, "control");
    keep(in_force.user, next.user, "user");
    keep(in_force.group, next.group, "group");
    keep(in_force.cache.pages, next.cache.pages, "pages");
    keep(in_force.sandbox, next.sandbox, "sandbox");
    return notes;
}

/// A log in the old and in the new configuration.
struct log_targets {
    const std::string& before;
    const std::string& now;
    int stream;

    [[nodiscard]] log_wanted wanted(log_wanted::kind what) const { return {what, now, stream}; }
};
std::array<log_targets, 2> targets_of(const log_rules& from, const log_rules& to)
{
    return {log_targets{from.access, to.access, STDOUT_FILENO}, log_targets{from.error, to.error, STDERR_FILENO}};
}

/// Why the logs whose target differs cannot be opened. Makes no file.
csp::step<mistakes> check_logs(const log_rules& from, const log_rules& to, log_openers& openers, csp::in<stop>& ending)
{
    mistakes wrong;
    for (const log_targets& log : targets_of(from, to)) {
        if (log.before == log.now) continue;
        auto checked = co_await openers.ask(log.wanted(log_wanted::kind::check), ending);
        if (!checked) wrong.push_back(std::move(checked.error()));
    }
    co_return wrong;
}

/// Opens the logs whose target differs.
csp::step<mistakes> open_logs(new_configuration& next, const log_rules& from, std::size_t back_ends,
                              log_openers& openers, csp::in<stop>& ending)
{
    const log_rules& to = next.read.log;
    if (from.access == to.access && from.error == to.error && from.form == to.form) co_return mistakes();
    std::array<std::optional<log_destination>, 2> opened;
    const auto logs = targets_of(from, to);
    for (std::size_t i = 0; i < logs.size(); ++i) {
        if (logs[i].before == logs[i].now) continue;
        auto log = co_await openers.ask(logs[i].wanted(log_wanted::kind::open), ending);
        if (!log) co_return mistakes{std::move(log.error())};
        opened[i] = std::move(*log);
    }
    csp::bridge<log_turn> reply(csp::core::here());
    next.logs = new_logs{.change = {{.access = std::move(opened[0]), .error = std::move(opened[1]), .form = to.form},
                                    back_ends,
                                    reply.tx()},
                         .complete = reply.rx()};
    co_return mistakes();
}

/// Reads the configuration and opens its roots: a policy for each core.
mistakes read_again(new_configuration& next, const settings& in_force, const own_command& command,
                    std::vector<policy>& policies)
{
    auto read = read_command_line(command.arguments);
    if (!read) return std::move(read.error().mistakes);
    next.read = std::move(*read);
    std::vector<std::string>& notes = next.answer.notes;
    notes = std::move(next.read.warnings);
    const bool is_same_account = next.read.user == in_force.user && next.read.group == in_force.group;
    if (auto wrong = missing_on_this_machine(next.read, is_same_account ? user_is::known : user_is::to_be_found);
        !wrong.empty()) {
        return wrong;
    }
    std::ranges::move(what_must_wait(in_force, next.read), std::back_inserter(notes));
    if (auto wrong = closed_to_reading(next.read); !wrong.empty()) return wrong;
    if (command.addresses == who_chooses_addresses::manager) next.read.listen = in_force.listen;
    auto fitted = fit_to_descriptors(next.read);
    if (!fitted) return {std::move(fitted.error())};
    if (*fitted && next.read.connections != in_force.connections) notes.push_back(std::move(**fitted));
    for (unsigned i = 0; i < next.read.workers; ++i) {
        auto p = make_policy(next.read);
        if (!p) return std::move(p.error());
        if (i == 0) std::ranges::move(missing_pages(*p), std::back_inserter(notes));
        policies.push_back(std::move(*p));
    }
    std::ranges::move(unusable_programs(next.read), std::back_inserter(notes));
    return {};
}

/// Starts a runner if there are programs. Their line is for the policies of all cores.
csp::step<mistakes> start_runner(const settings& read, std::vector<policy>& policies, const steward_line& steward)
{
    if (!has_programs(read)) co_return mistakes();
    auto runner = co_await steward.start_runner(digest_of_programs(read));
    if (!runner) co_return mistakes{std::move(runner.error())};
    if (!share_runner(*runner, policies)) co_return mistakes{"no file descriptor is left for programs"};
    co_return mistakes();
}

mistakes open_addresses(new_configuration& next, const settings& in_force, const steward_line& steward)
{
    const std::vector<std::string> present = wanted_addresses(in_force);
    std::ranges::move(settle_addresses(next.read.listen, present), std::back_inserter(next.answer.notes));
    auto moved = move_addresses(present, next.read, steward);
    if (!moved) return std::move(moved.error());
    next.addresses = std::move(*moved);
    next.addresses.name_ports(next.read.listen);
    return {};
}

/// Messages about the addresses. REQUIRES: `move` still has the sockets.
std::vector<std::string> changes_of(const address_change& move)
{
    std::vector<std::string> said;
    std::string last;
    for (const listening& l : move.for_supervisor.opened) {  // one for each core
        if (l.address != last) said.push_back(fmt::format("now listening on http://{}", l.address));
        last = l.address;
    }
    for (const std::string& a : move.for_supervisor.closed) {
        said.push_back(fmt::format("no longer listening on http://{}", a));
    }
    return said;
}

/// Messages about the logs.
std::vector<std::string> changes_of(const log_rules& from, const log_rules& to)
{
    std::vector<std::string> said;
    const auto tell = [&](std::string_view name, const std::string& before, const std::string& now) {
        if (before != now) {
            said.push_back(now.empty() ? fmt::format("the {} log is now off", name)
                                       : fmt::format("the {} log now goes to `{}`", name, now));
        }
    };
    tell("access", from.access, to.access);
    tell("error", from.error, to.error);
    if (from.form != to.form) {
        said.push_back(fmt::format("logs are now in {} form", to.form == log_form::json ? "JSON" : "combined"));
    }
    return said;
}

/// The answer if `next` is put in force.
void prepare_answer(new_configuration& next, const settings& in_force)
{
    reload_answer& answer = next.answer;
    answer.changes = changes_of(next.addresses);
    std::ranges::move(changes_of(in_force.log, next.read.log), std::back_inserter(answer.changes));
    if (next.addresses.changes_nothing()) next.addresses.for_cores.clear();
    std::string served = what_is_served(next.read);
    answer.now = supervised{next.read.patience.grace, std::move(served), std::move(next.addresses.for_supervisor)};
    answer.taken = true;
}

/// Reads the configuration, opens what it needs, and makes all that is sent if it is put in force.
csp::step<mistakes> prepare(new_configuration& next, const settings& in_force, const own_command& command,
                            const steward_line& steward, std::size_t cores, log_openers& openers, csp::in<stop>& ending)
{
    std::vector<policy> policies;
    auto wrong = read_again(next, in_force, command, policies);
    if (wrong.empty()) wrong = co_await start_runner(next.read, policies, steward);
    if (!wrong.empty()) co_return wrong;
    for (policy& p : policies) next.policies.emplace_back(std::move(p));
    // Before the addresses are open: the file system of a log may not answer for seconds, and clients would wait.
    wrong = co_await check_logs(in_force.log, next.read.log, openers, ending);
    if (wrong.empty()) wrong = open_addresses(next, in_force, steward);
    if (wrong.empty()) {  // last, since a file may be made
        wrong = co_await open_logs(next, in_force.log, cores, openers, ending);
    }
    if (wrong.empty()) prepare_answer(next, in_force);
    co_return wrong;
}

/// Reports a lack of memory like a mistake. Called in a handler of exceptions.
void note_lack_of_memory(mistakes& wrong) noexcept
{
    csp::report_fault();
    csp::attempt([&] { wrong.emplace_back("out of memory while reading the configuration"); });
}

/// As prepare(). Returns nullopt, with the reasons in `wrong`, if the configuration is refused.
csp::step<std::optional<new_configuration>> try_to_prepare(const settings& in_force, const own_command& command,
                                                           const steward_line& steward, std::size_t cores,
                                                           log_openers& openers, csp::in<stop>& ending, mistakes& wrong)
{
    std::optional<new_configuration> next;
    try {
        next.emplace();
        wrong = co_await prepare(*next, in_force, command, steward, cores, openers, ending);
    } catch (...) {
        note_lack_of_memory(wrong);
    }
    if (next && !next->answer.taken) {
        steward.remove_files_of(next->addresses.for_supervisor.opened);
        next.reset();
    }
    co_return next;
}

/// Sends the cores and the log what differs, except the addresses. It needs no memory but its own frame: once it has
/// begun, every core gets all of the configuration. Returns when no line is on its way to the old logs any more.
csp::step<void> put_in_force(new_configuration& next, const settings& in_force, std::vector<configured_core>& cores,
                             csp::bridge_out<log_change>& to_log)
{
    for (std::size_t i = 0; i < cores.size(); ++i) co_await cores[i].parking.output(std::move(next.policies[i]));
    const cache_room room{next.read.cache.memory};
    if (room.bytes != in_force.cache.memory) {
        for (configured_core& core : cores) co_await core.cache_control.output(room);
    }
    if (!next.logs || !co_await to_log.output(std::move(next.logs->change))) co_return;
    const access_log format = access_log_of(next.read.log);
    for (configured_core& core : cores) co_await core.back_end.output(format);
    (void)co_await next.logs->complete.input();
}

}  // namespace

namespace {

constexpr std::size_t most_named = 20;

/// A line for each route that runs programs.
std::string programs_served(const std::vector<site>& sites)
{
    std::vector<std::string> lines;
    for (const site& one : sites) {
        for (const route& r : one.files.routes) {
            const auto* const rules = std::get_if<cgi_rules>(&r.then);
            if (rules == nullptr) continue;
            lines.push_back(fmt::format("programs answer {}{}: {}\n", one.names.empty() ? "" : one.names.front(),
                                        r.path, rules->path));
        }
    }
    const std::size_t more = lines.size() - std::min(lines.size(), most_named);
    lines.resize(lines.size() - more);
    return fmt::format("{}{}", fmt::join(lines, ""), more == 0 ? "" : fmt::format("and {} more such routes\n", more));
}

}  // namespace

std::string what_is_served(const settings& s)
{
    const std::vector<site> sites = all_sites(s);
    std::string lines;
    for (const std::string& where : s.listen) {
        lines += fmt::format("serving {} on http://{} with {} worker{}\n",
                             sites.size() == 1 ? sites.front().files.root : fmt::format("{} sites", sites.size()),
                             where, s.workers, s.workers == 1 ? "" : "s");
    }
    if (sites.size() == 1) return lines + programs_served(sites);
    for (std::size_t i = 0; i < std::min(sites.size(), most_named); ++i) {
        const site& one = sites[i];
        const std::string names = fmt::format("{}", fmt::join(one.names, ", "));
        lines += fmt::format("site {}{}{}: {}\n", names, names.empty() || !one.is_default ? "" : ", ",
                             one.is_default ? "by default" : "", one.files.root);
    }
    if (sites.size() > most_named) lines += fmt::format("and {} more sites\n", sites.size() - most_named);
    return lines + programs_served(sites);
}

csp::process config(settings in_force, own_command command, steward_line steward, csp::in<reload_request> requests,
                    csp::in<stop> ending, std::vector<configured_core> to_cores, csp::bridge_out<log_change> to_log)
{
    log_openers openers(steward.another());
    while (auto request = co_await requests.input()) {
        reload_answer result;
        std::vector<listening_change> last;
        std::optional<new_configuration> next;
        try {
            next =
                co_await try_to_prepare(in_force, command, steward, to_cores.size(), openers, ending, result.mistakes);
            if (next) co_await put_in_force(*next, in_force, to_cores, to_log);
        } catch (...) {  // there is no memory for a frame, and nothing has been sent
            note_lack_of_memory(result.mistakes);
            if (next) steward.remove_files_of(next->answer.now->sockets.opened);
            next.reset();
        }
        if (next) {
            last = std::move(next->addresses.for_cores);
            result = std::move(next->answer);
            in_force = std::move(next->read);
        }
        result.hangs = openers.any_hangs();
        // The supervisor closes its duplicate of a removed listener before the acceptors close theirs: as long as the
        // duplicate is open, the kernel accepts connections there, and an acceptor must take them.
        co_await request->answer.output(std::move(result));
        for (std::size_t i = 0; i < last.size(); ++i) co_await to_cores[i].acceptors.output(std::move(last[i]));
    }
}

}  // namespace server
