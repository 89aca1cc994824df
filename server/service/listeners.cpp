// SPDX-License-Identifier: MIT
#include "server/service/listeners.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "io/address.hpp"
#include "server/control/socket.hpp"
#include "server/service/inherited.hpp"
#include "server/who_listens.hpp"

namespace server {
namespace {

bool contains(const std::vector<std::string>& all, const std::string& one)
{
    return std::ranges::find(all, one) != all.end();
}

std::string cannot_listen(const std::string& where, const io::address& address, const io::error& e,
                          const std::string& user)
{
    if (e.number == EADDRINUSE) {
        const auto who = who_listens(address.port());
        return fmt::format("{} is in use by {}; choose another with --port or --listen", where,
                           who.value_or("another program"));
    }
    if (e.number == EACCES && !user.empty() && ::geteuid() != 0) {
        return fmt::format(
            "{}: ports below 1024 need root or CAP_NET_BIND_SERVICE, which this server gave up to run as `{}`: it can "
            "open this one when it is started again",
            where, user);
    }
    if (e.number == EACCES) return fmt::format("{}: ports below 1024 need root or CAP_NET_BIND_SERVICE", where);
    return fmt::format("cannot listen on {}: {}", where, e.text);
}

/// Whether one of these addresses, which are ours, has the port: then it can be taken only by sharing it.
bool is_port_of_one(const std::vector<std::string>& ours, std::uint16_t port)
{
    return std::ranges::any_of(ours, [port](const std::string& text) {
        const auto a = io::address::parse(text);
        return a && a->port() == port;
    });
}

constexpr int backlog = 4096;

/// The path of a unix address that is a file.
std::optional<std::string> path_of(std::string_view address)
{
    constexpr std::string_view prefix = "unix:";
    if (!address.starts_with(prefix) || address.substr(prefix.size()).starts_with('@')) return std::nullopt;
    return std::string(address.substr(prefix.size()));
}

bool is_socket(const std::string& path)
{
    struct stat there{};
    return ::lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode);
}

/// A file that a server has left behind which is no more is replaced.
std::expected<io::listener, std::string> listen_at_path(const std::string& where, const io::address& at)
{
    auto l = io::listen(at, backlog);
    if (!l && l.error().number == EADDRINUSE) {
        if (const auto who = who_listens_at(at)) {
            return std::unexpected(fmt::format("{} is in use by process {}", where, *who));
        }
        const auto path = path_of(where);
        if (!path || !is_socket(*path)) {
            return std::unexpected(fmt::format("cannot listen on {}: another file is there", where));
        }
        ::unlink(path->c_str());
        l = io::listen(at, backlog);
    }
    if (!l) return std::unexpected(fmt::format("cannot listen on {}: {}", where, l.error().text));
    return std::move(*l);
}

/// The same for each core: a unix address cannot be bound twice.
std::expected<std::vector<io::listener>, std::string> listen_at_path(const std::string& where, const io::address& at,
                                                                     unsigned cores)
{
    auto first = listen_at_path(where, at);
    if (!first) return std::unexpected(std::move(first.error()));
    std::vector<io::listener> all;
    for (unsigned i = 1; i < cores; ++i) {
        auto another = duplicate(*first);
        if (!another) {
            remove_file_of(where);
            return std::unexpected(fmt::format("cannot listen on {}: {}", where, another.error().text));
        }
        all.push_back(std::move(*another));
    }
    all.push_back(std::move(*first));
    return all;
}

/// A listener for each core, which share the port among them and with nobody else.
std::expected<std::vector<io::listener>, std::string> listen_on(const std::string& where, const settings& s,
                                                                const std::vector<std::string>& ours)
{
    auto address = io::address::parse(where);
    if (!address) return std::unexpected(fmt::format("`{}` is not an address", where));
    if (address->family() == AF_UNIX) return listen_at_path(where, *address, s.workers);
    if (!is_port_of_one(ours, address->port())) {
        // Sharing a port lets in every program of this user: whether somebody has it already must be asked without.
        if (const auto may = io::may_listen(*address); !may) {
            return std::unexpected(cannot_listen(where, *address, may.error(), s.user));
        }
    }
    std::vector<io::listener> listeners;
    for (unsigned i = 0; i < s.workers; ++i) {
        auto l = io::listen(*address, backlog, io::port_sharing::among_cores);
        if (!l) return std::unexpected(cannot_listen(where, *address, l.error(), s.user));
        listeners.push_back(std::move(*l));
    }
    return listeners;
}

}  // namespace

void remove_file_of(const std::string& address)
{
    if (const auto path = path_of(address); path && is_socket(*path)) ::unlink(path->c_str());
}

std::vector<std::string> wanted_addresses(const settings& s)
{
    std::vector<std::string> all;
    for (const std::string& written : s.listen) {
        const auto address = io::address::parse(written);
        std::string one = address ? address->to_string() : written;
        if (!contains(all, one)) all.push_back(std::move(one));
    }
    return all;
}

std::expected<move_of_addresses, std::vector<std::string>> move_addresses(const std::vector<std::string>& present,
                                                                          const settings& wanted)
{
    const std::vector<std::string> next = wanted_addresses(wanted);
    move_of_addresses change{.of_cores = std::vector<listening_change>(wanted.workers), .of_keeper = {}};
    std::vector<std::string> wrong;
    for (const std::string& where : next) {
        if (contains(present, where)) continue;
        auto listeners = listen_on(where, wanted, present);
        if (!listeners) {
            wrong.push_back(std::move(listeners.error()));
            continue;
        }
        for (unsigned i = 0; i < wanted.workers; ++i) {
            if (auto another = duplicate((*listeners)[i])) {
                change.of_keeper.opened.push_back({where, std::move(*another)});
            } else {
                wrong.push_back(fmt::format("cannot listen on {}: {}", where, another.error().text));
            }
            change.of_cores[i].opened.push_back({where, std::move((*listeners)[i])});
        }
    }
    if (!wrong.empty()) {
        for (const listening& l : change.of_cores.front().opened) remove_file_of(l.address);
        return std::unexpected(std::move(wrong));
    }
    for (const std::string& where : present) {
        if (!contains(next, where)) change.of_keeper.closed.push_back(where);
    }
    for (listening_change& of_core : change.of_cores) of_core.closed = change.of_keeper.closed;
    return change;
}

}  // namespace server
