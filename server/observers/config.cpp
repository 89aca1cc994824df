// SPDX-License-Identifier: MIT
#include "server/observers/config.hpp"

#include <algorithm>
#include <expected>
#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "server/command_line.hpp"
#include "server/service/listeners.hpp"

namespace server {
namespace {

using mistakes = std::vector<std::string>;

/// A configuration as it was read, what each core is to be sent of it, and what is to be said.
struct new_configuration {
    settings read;
    std::vector<policy> policies;
    move_of_addresses addresses;
    std::vector<std::string> notes;
};

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
    keep(in_force.control, next.control, "control");
    keep(in_force.user, next.user, "user");
    keep(in_force.group, next.group, "group");
    keep(in_force.log.access, next.log.access, "access");
    keep(in_force.log.error, next.log.error, "error");
    keep(in_force.log.form, next.log.form, "format");
    keep(in_force.cache.pages, next.cache.pages, "pages");
    keep(in_force.cache.memory, next.cache.memory, "memory_bytes");
    return notes;
}

std::expected<new_configuration, mistakes> read_again(const settings& in_force, const std::vector<std::string>& words,
                                                      who_chooses_addresses addresses)
{
    auto read = read_command_line_again(words);
    if (!read) return std::unexpected(std::move(read.error()));
    new_configuration next{.read = std::move(*read), .policies = {}, .addresses = {}, .notes = {}};
    next.notes = std::move(next.read.warnings);
    std::ranges::move(what_must_wait(in_force, next.read), std::back_inserter(next.notes));
    if (addresses == who_chooses_addresses::manager) next.read.listen = in_force.listen;
    for (unsigned i = 0; i < next.read.workers; ++i) {
        auto p = make_policy(next.read);
        if (!p) return std::unexpected(std::move(p.error()));
        next.policies.push_back(std::move(*p));
    }
    auto moved = move_addresses(wanted_addresses(in_force), next.read);
    if (!moved) return std::unexpected(std::move(moved.error()));
    next.addresses = std::move(*moved);
    return next;
}

/// Told while `move` still has the sockets.
std::vector<std::string> changes_of(const move_of_addresses& move)
{
    std::vector<std::string> said;
    std::string last;
    for (const listening& l : move.of_keeper.opened) {  // one for each core
        if (l.address != last) said.push_back(fmt::format("http://{} is served from now on", l.address));
        last = l.address;
    }
    for (const std::string& a : move.of_keeper.closed) said.push_back(fmt::format("http://{} is served no more", a));
    return said;
}

csp::step<void> put_in_force(std::vector<policy> policies, std::vector<configured_core>& cores)
{
    for (std::size_t i = 0; i < cores.size(); ++i) co_await cores[i].parking.output(std::move(policies[i]));
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
    if (sites.size() > most_named) lines += fmt::format("and {} sites more\n", sites.size() - most_named);
    return lines;
}

csp::process config(settings in_force, std::vector<std::string> words, who_chooses_addresses addresses,
                    csp::in<reload_request> requests, std::vector<configured_core> to_cores)
{
    while (auto request = co_await requests.input()) {
        reload_answer result;
        std::vector<listening_change> last;
        auto next = read_again(in_force, words, addresses);
        if (next) {
            result.notes = std::move(next->notes);
            result.changes = changes_of(next->addresses);
            co_await put_in_force(std::move(next->policies), to_cores);
            if (!next->addresses.changes_nothing()) last = std::move(next->addresses.of_cores);
            in_force = std::move(next->read);
            result.now =
                supervised{in_force.patience.grace, what_is_served(in_force), std::move(next->addresses.of_keeper)};
        } else {
            result.mistakes = std::move(next.error());
        }
        // The supervisor lets go of an address before the acceptors do: as long as it has a socket there, the kernel
        // accepts clients for us, and somebody must take them.
        co_await request->answer.output(std::move(result));
        co_await change_addresses(std::move(last), to_cores);
    }
}

}  // namespace server
