// SPDX-License-Identifier: MIT
#include "server/startup.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "server/service/listeners.hpp"

namespace server {
namespace {

/// Who takes a predecessor's place has its sockets where the address is still wanted; the others are closed. Those of a
/// service manager stand for `s.listen`, which is by now where they are.
std::expected<std::vector<std::vector<listening>>, problem> listeners_of_cores(const settings& s,
                                                                               std::vector<io::listener> inherited)
{
    const std::vector<std::string> present = addresses_of(inherited);
    const std::vector<std::string> wanted = wanted_addresses(s);
    std::erase_if(inherited,
                  [&](const io::listener& l) { return std::ranges::find(wanted, address_of(l)) == wanted.end(); });
    auto of_cores = share_among_cores(std::move(inherited), s.workers);
    if (!of_cores) return std::unexpected(of_cores.error());
    auto missing = move_addresses(present, s);
    if (!missing) return std::unexpected(missing.error().front());
    for (unsigned i = 0; i < s.workers; ++i) {
        std::ranges::move(missing->of_cores[i].opened, std::back_inserter((*of_cores)[i]));
    }
    return of_cores;
}

problem no_descriptor(std::string_view what_for, const io::error& why)
{
    return fmt::format("no descriptor can be had for {}: {}", what_for, why.text);
}

}  // namespace

void allow_many_descriptors()
{
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

namespace {

std::expected<void, problem> open_into(opened& o, const settings& s, inheritance& given)
{
    if (const auto may = io::may_open_beneath(); !may) {
        return std::unexpected(fmt::format(
            "openat2(2), by which no file outside of a root is served, is not to be had ({}): Linux 5.6 has "
            "it, and a unit of systemd's must not say RestrictSUIDSGID=yes",
            may.error().text));
    }
    for (unsigned i = 0; i < s.workers; ++i) {
        auto p = make_policy(s);
        if (!p) return std::unexpected(p.error().front());
        o.policies.push_back(std::move(*p));
    }
    auto listeners = listeners_of_cores(s, std::move(given.sockets));
    if (!listeners) return std::unexpected(listeners.error());
    o.listeners = std::move(*listeners);
    for (const auto& of_core : o.listeners) {
        for (const listening& l : of_core) {
            auto another = duplicate(l.socket);
            if (!another) return std::unexpected(no_descriptor(l.address, another.error()));
            o.spare.push_back({l.address, std::move(*another)});
        }
    }
    auto access = open_log(s.log.access, STDOUT_FILENO);
    if (!access) return std::unexpected(access.error());
    auto error = open_log(s.log.error, STDERR_FILENO);
    if (!error) return std::unexpected(error.error());
    auto signals = io::signal_set::open({SIGTERM, SIGINT, SIGHUP, SIGUSR1});
    if (!signals) return std::unexpected(no_descriptor("signals", signals.error()));
    o.signals = std::move(*signals);
    // Last, for from then on it is we who are found there.
    if (!s.control.empty()) {
        auto control =
            open_control_socket(s.control, s.user, given.before_us ? place_taken::replace : place_taken::refuse);
        if (!control) return std::unexpected(control.error());
        o.control_at = std::move(*control);
    }
    o.logs = {.access = std::move(*access), .error = std::move(*error), .form = s.log.form};
    return {};
}

}  // namespace

std::expected<opened, problem> open_all(const settings& s, inheritance& given)
{
    opened o;
    if (auto all = open_into(o, s, given); !all) {
        leave_nothing_behind(o, given);
        return std::unexpected(std::move(all.error()));
    }
    return o;
}

void leave_nothing_behind(const opened& o, const inheritance& given)
{
    o.control_at.remove_file();
    if (given.before_us || given.addresses == who_chooses_addresses::manager) return;  // those are not ours
    for (const auto& of_core : o.listeners) {
        for (const listening& l : of_core) remove_file_of(l.address);
    }
}

}  // namespace server
