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

#include "server/commands/command_line.hpp"
#include "server/log/log_opener.hpp"
#include "server/messages/stop.hpp"
#include "server/sandbox/sandbox.hpp"
#include "server/service/descriptors.hpp"
#include "server/service/listeners.hpp"
#include "server/service/prospects.hpp"

namespace server {
namespace {

using mistakes = std::vector<std::string>;

/// A configuration that was read, what each core gets of it, and messages for the operator.
struct new_configuration {
    settings read;
    std::vector<policy> policies;
    address_change addresses;
    std::optional<other_logs> logs;  // none: the logs do not change
    std::vector<std::string> notes;
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

/// Opens the logs whose target differs. If one of them cannot be opened, no file is created for the other.
csp::step<std::expected<std::optional<other_logs>, mistakes>> open_logs(const log_rules& from, const log_rules& to,
                                                                        log_openers& openers, csp::in<stop>& ending)
{
    if (from.access == to.access && from.error == to.error && from.form == to.form) co_return std::nullopt;
    other_logs change{.access = {}, .error = {}, .form = to.form};
    struct one {
        const std::string& before;
        const std::string& now;
        int stream;
        std::optional<log_destination>& into;
    };
    const std::array logs{one{from.access, to.access, STDOUT_FILENO, change.access},
                          one{from.error, to.error, STDERR_FILENO, change.error}};
    mistakes wrong;
    for (const one& log : logs) {
        if (log.before == log.now) continue;
        auto checked = co_await openers.ask({log_wanted::kind::check, log.now, log.stream}, ending);
        if (!checked) wrong.push_back(std::move(checked.error()));
    }
    if (!wrong.empty()) co_return std::unexpected(std::move(wrong));
    for (const one& log : logs) {
        if (log.before == log.now) continue;
        auto opened = co_await openers.ask({log_wanted::kind::open, log.now, log.stream}, ending);
        if (!opened) co_return std::unexpected(mistakes{std::move(opened.error())});
        log.into = std::move(*opened);
    }
    co_return change;
}

/// Reads the configuration and opens all but the logs.
std::expected<new_configuration, mistakes> read_again(const settings& in_force, const std::vector<std::string>& words,
                                                      who_chooses_addresses addresses)
{
    auto read = read_command_line(words);
    if (!read) return std::unexpected(std::move(read.error().mistakes));
    new_configuration next{.read = std::move(*read), .policies = {}, .addresses = {}, .logs = {}, .notes = {}};
    next.notes = std::move(next.read.warnings);
    const bool is_same_account = next.read.user == in_force.user && next.read.group == in_force.group;
    if (auto wrong = missing_on_this_machine(next.read, is_same_account ? user_is::known : user_is::to_be_found);
        !wrong.empty()) {
        return std::unexpected(std::move(wrong));
    }
    std::ranges::move(what_must_wait(in_force, next.read), std::back_inserter(next.notes));
    if (auto wrong = closed_to_reading(next.read); !wrong.empty()) return std::unexpected(std::move(wrong));
    if (addresses == who_chooses_addresses::manager) next.read.listen = in_force.listen;
    auto fitted = fit_to_descriptors(next.read);
    if (!fitted) return std::unexpected(mistakes{std::move(fitted.error())});
    if (*fitted && next.read.connections != in_force.connections) next.notes.push_back(std::move(**fitted));
    for (unsigned i = 0; i < next.read.workers; ++i) {
        auto p = make_policy(next.read);
        if (!p) return std::unexpected(std::move(p.error()));
        next.policies.push_back(std::move(*p));
    }
    std::ranges::move(missing_pages(next.policies.front()), std::back_inserter(next.notes));
    const std::vector<std::string> present = wanted_addresses(in_force);
    std::ranges::move(settle_addresses(next.read.listen, present), std::back_inserter(next.notes));
    auto moved = move_addresses(present, next.read);
    if (!moved) return std::unexpected(std::move(moved.error()));
    moved->name_ports(next.read.listen);
    next.addresses = std::move(*moved);
    return next;
}

/// Reads the configuration and opens everything. A lack of memory is reported like a mistake, and nothing has changed.
csp::step<std::expected<new_configuration, mistakes>> try_to_read_again(const settings& in_force,
                                                                        const std::vector<std::string>& words,
                                                                        who_chooses_addresses addresses,
                                                                        log_openers& openers, csp::in<stop>& ending)
{
    std::expected<new_configuration, mistakes> next = std::unexpected(mistakes());
    mistakes wrong;
    try {
        next = read_again(in_force, words, addresses);
        if (!next) co_return next;
        auto logs =
            co_await open_logs(in_force.log, next->read.log, openers, ending);  // last, since a file may be made
        if (logs) {
            next->logs = std::move(*logs);
            co_return next;
        }
        wrong = std::move(logs.error());
    } catch (...) {
        csp::report_fault();
        wrong.emplace_back("out of memory while reading the configuration");
    }
    if (next) {
        for (const listening& l : next->addresses.for_supervisor.opened) remove_file_of(l);
    }
    co_return std::unexpected(std::move(wrong));
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

std::vector<std::string> changes_of(const new_configuration& next, const settings& in_force)
{
    std::vector<std::string> all = changes_of(next.addresses);
    std::ranges::move(changes_of(in_force.log, next.read.log), std::back_inserter(all));
    return all;
}

csp::step<void> put_in_force(std::vector<policy> policies, std::vector<configured_core>& cores)
{
    for (std::size_t i = 0; i < cores.size(); ++i) co_await cores[i].parking.output(std::move(policies[i]));
}

csp::step<void> put_in_force(cache_room room, std::vector<configured_core>& cores)
{
    for (configured_core& core : cores) co_await core.cache_control.output(room);
}

/// Returns when no line is on its way to the old logs any more.
csp::step<void> put_in_force(other_logs logs, access_log format, std::vector<configured_core>& cores,
                             csp::bridge_out<log_change>& to_log)
{
    csp::bridge<log_turn> reply(csp::core::here());
    csp::in<log_turn> complete = reply.rx();
    if (!co_await to_log.output({std::move(logs), cores.size(), reply.tx()})) co_return;
    for (configured_core& core : cores) co_await core.back_end.output(format);
    (void)co_await complete.input();
}

/// All of it but the addresses.
csp::step<void> put_in_force(new_configuration& next, const settings& in_force, std::vector<configured_core>& cores,
                             csp::bridge_out<log_change>& to_log)
{
    co_await put_in_force(std::move(next.policies), cores);
    if (const std::size_t memory = next.read.cache.memory; memory != in_force.cache.memory) {
        co_await put_in_force(cache_room{memory}, cores);
    }
    if (next.logs) co_await put_in_force(std::move(*next.logs), access_log_of(next.read.log), cores, to_log);
}

csp::step<void> change_addresses(std::vector<listening_change> changes, std::vector<configured_core>& cores)
{
    for (std::size_t i = 0; i < changes.size(); ++i) co_await cores[i].acceptors.output(std::move(changes[i]));
}

}  // namespace

std::string what_is_served(const settings& s)
{
    constexpr std::size_t most_named = 20;
    const std::vector<site> sites = all_sites(s);
    std::string lines;
    for (const std::string& where : s.listen) {
        lines += fmt::format("serving {} on http://{} with {} worker{}\n",
                             sites.size() == 1 ? sites.front().files.root : fmt::format("{} sites", sites.size()),
                             where, s.workers, s.workers == 1 ? "" : "s");
    }
    if (sites.size() == 1) return lines;
    for (std::size_t i = 0; i < std::min(sites.size(), most_named); ++i) {
        const site& one = sites[i];
        const std::string names = fmt::format("{}", fmt::join(one.names, ", "));
        lines += fmt::format("site {}{}{}: {}\n", names, names.empty() || !one.is_default ? "" : ", ",
                             one.is_default ? "by default" : "", one.files.root);
    }
    if (sites.size() > most_named) lines += fmt::format("and {} more sites\n", sites.size() - most_named);
    return lines;
}

csp::process config(settings in_force, std::vector<std::string> words, who_chooses_addresses addresses,
                    csp::in<reload_request> requests, csp::in<stop> ending, std::vector<configured_core> to_cores,
                    csp::bridge_out<log_change> to_log)
{
    log_openers openers;
    while (auto request = co_await requests.input()) {
        reload_answer result;
        std::vector<listening_change> last;
        auto next = co_await try_to_read_again(in_force, words, addresses, openers, ending);
        if (next) {
            result.notes = std::move(next->notes);
            result.changes = changes_of(*next, in_force);
            co_await put_in_force(*next, in_force, to_cores, to_log);
            if (!next->addresses.changes_nothing()) last = std::move(next->addresses.for_cores);
            in_force = std::move(next->read);
            result.now = supervised{in_force.patience.grace, what_is_served(in_force),
                                    std::move(next->addresses.for_supervisor)};
        } else {
            result.mistakes = std::move(next.error());
        }
        result.hangs = openers.any_hangs();
        // The supervisor closes its duplicate of a removed listener before the acceptors close theirs: as long as the
        // duplicate is open, the kernel accepts connections there, and an acceptor must take them.
        co_await request->answer.output(std::move(result));
        co_await change_addresses(std::move(last), to_cores);
    }
}

}  // namespace server
