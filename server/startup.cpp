// SPDX-License-Identifier: MIT
#include "server/startup.hpp"

#include <cerrno>
#include <cstdio>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "io/address.hpp"
#include "server/who_listens.hpp"

namespace server {
namespace {

problem cannot_listen(const std::string& where, const io::address& address, const io::error& e)
{
    if (e.number == EADDRINUSE) {
        const auto who = who_listens(address.port());
        return fmt::format("{} is in use by {}; choose another with --port or --listen", where,
                           who.value_or("another program"));
    }
    if (e.number == EACCES) return fmt::format("{}: ports below 1024 need root or CAP_NET_BIND_SERVICE", where);
    return fmt::format("cannot listen on {}: {}", where, e.text);
}

/// A listener for each core, which share the port among them and with nobody else.
std::expected<std::vector<io::listener>, problem> listen_on(const std::string& where, unsigned cores)
{
    constexpr int backlog = 4096;
    auto address = io::address::parse(where);
    if (!address) return std::unexpected(fmt::format("`{}` is not an address", where));
    {
        // Sharing a port lets in every program of this user: whether somebody has it already must be asked without.
        auto probe = io::listen(*address, backlog, io::port_sharing::exclusive);
        if (!probe) return std::unexpected(cannot_listen(where, *address, probe.error()));
    }
    std::vector<io::listener> listeners;
    for (unsigned i = 0; i < cores; ++i) {
        auto l = io::listen(*address, backlog, io::port_sharing::among_cores);
        if (!l) return std::unexpected(cannot_listen(where, *address, l.error()));
        listeners.push_back(std::move(*l));
    }
    return listeners;
}

std::expected<std::vector<std::vector<io::listener>>, problem> listen_on_all(const settings& s)
{
    std::vector<std::vector<io::listener>> of_cores(s.workers);
    for (const std::string& where : s.listen) {
        auto listeners = listen_on(where, s.workers);
        if (!listeners) return std::unexpected(listeners.error());
        for (unsigned i = 0; i < s.workers; ++i) of_cores[i].push_back(std::move((*listeners)[i]));
    }
    return of_cores;
}

}  // namespace

void allow_many_descriptors()
{
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

std::expected<opened, problem> open_all(const settings& s, inheritance& given)
{
    opened o;
    for (unsigned i = 0; i < s.workers; ++i) {
        auto p = make_policy(s);
        if (!p) return std::unexpected(p.error().front());
        o.policies.push_back(std::move(*p));
    }
    auto listeners = given.sockets.empty() ? listen_on_all(s) : share_among_cores(std::move(given.sockets), s.workers);
    if (!listeners) return std::unexpected(listeners.error());
    o.listeners = std::move(*listeners);
    for (const auto& of_core : o.listeners) {
        for (const io::listener& l : of_core) {
            if (auto another = duplicate(l)) o.spare.push_back(std::move(*another));
        }
    }
    auto access = open_log(s.log.access, STDOUT_FILENO);
    if (!access) return std::unexpected(access.error());
    auto error = open_log(s.log.error, STDERR_FILENO);
    if (!error) return std::unexpected(error.error());
    // Last, for from then on it is we who are found there.
    if (!s.control.empty()) {
        auto control =
            open_control_socket(s.control, s.user, given.before_us ? place_taken::replace : place_taken::refuse);
        if (!control) return std::unexpected(control.error());
        o.control_at = std::move(*control);
    }
    o.logs = {.access = std::move(*access), .error = std::move(*error), .form = s.log.form};
    return o;
}

}  // namespace server
