// SPDX-License-Identifier: MIT
#include "server/service/listeners.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "io/address.hpp"
#include "server/service/control_socket.hpp"
#include "server/service/inherited.hpp"
#include "server/service/who_listens.hpp"

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
            "cannot listen on {}: ports below 1024 need root or CAP_NET_BIND_SERVICE, and the server has switched to "
            "the user `{}`: restart it",
            where, user);
    }
    if (e.number == EACCES)
        return fmt::format("cannot listen on {}: ports below 1024 need root or CAP_NET_BIND_SERVICE", where);
    return fmt::format("cannot listen on {}: {}", where, e.text);
}

/// Whether this server listens on the port already, at one of the addresses `ours`.
bool is_port_of_one(const std::vector<std::string>& ours, std::uint16_t port)
{
    return port != 0 && std::ranges::any_of(ours, [port](const std::string& text) {
               const auto a = io::address::parse(text);
               return a && a->port() == port;
           });
}

/// Connections that wait in the kernel for accept(); the kernel caps it at net.core.somaxconn.
constexpr int backlog = 4096;

/// At an abstract address.
std::expected<io::listener, std::string> listen_without_file(const std::string& where, const io::address& at)
{
    auto l = io::listen(at, backlog);
    if (l) return std::move(*l);
    if (l.error().number != EADDRINUSE) {
        return std::unexpected(fmt::format("cannot listen on {}: {}", where, l.error().text));
    }
    const auto who = who_listens_at(at);
    return std::unexpected(who ? fmt::format("{} is in use by process {}", where, *who)
                               : fmt::format("{} is in use", where));
}

/// Opens a listener for each core, as duplicates of one socket, because a unix address cannot be bound twice.
std::expected<std::vector<listening>, std::string> listen_on_unix(const std::string& where, const io::address& at,
                                                                  unsigned cores, const steward_line& steward)
{
    auto socket = path_of(where) ? steward.listen(where) : listen_without_file(where, at);
    if (!socket) return std::unexpected(std::move(socket.error()));
    // Once more, so that this process, and not the steward's job, is the one that listens there (SO_PEERCRED).
    (void)::listen(socket->number(), backlog);
    const listening first{where, std::move(*socket), file_of(where)};
    std::vector<listening> all;
    for (unsigned i = 0; i < cores; ++i) {
        auto another = duplicate(first.socket);
        if (!another) {
            steward.remove_file_of(first);
            return std::unexpected(fmt::format("cannot listen on {}: {}", where, another.error().text));
        }
        all.push_back({where, std::move(*another), first.file});
    }
    return all;
}

/// Whether the address is free. This binds without SO_REUSEPORT, which would succeed even if another program of the
/// same user listens there with that option.
io::result<void> may_listen(const io::address& at, when_in_use then)
{
    constexpr std::chrono::milliseconds pause{10};
    const auto is_in_use = [](const io::result<void>& may) { return !may && may.error().number == EADDRINUSE; };
    auto may = io::may_listen(at);
    if (then == when_in_use::refuse || !is_in_use(may) || who_listens(at.port())) return may;
    for (int more = 100; more > 0 && is_in_use(may); --more) {
        std::this_thread::sleep_for(pause);
        may = io::may_listen(at);
    }
    return may;
}

/// Opens a listener for each core. They share the port by SO_REUSEPORT. `ours` are the addresses of this server.
std::expected<std::vector<listening>, std::string> listen_on(const std::string& where, const settings& s,
                                                             const std::vector<std::string>& ours,
                                                             const steward_line& steward, when_in_use then)
{
    auto address = io::address::parse(where);
    if (!address) return std::unexpected(fmt::format("`{}` is not an address", where));
    if (address->family() == AF_UNIX) return listen_on_unix(where, *address, s.workers, steward);
    if (!is_port_of_one(ours, address->port())) {
        if (const auto may = may_listen(*address, then); !may) {
            return std::unexpected(cannot_listen(where, *address, may.error(), s.user));
        }
    }
    std::vector<listening> listeners;
    for (unsigned i = 0; i < s.workers; ++i) {
        auto l = io::listen(*address, backlog, io::port_sharing::among_cores);
        if (!l) return std::unexpected(cannot_listen(where, *address, l.error(), s.user));
        if (i == 0) address = io::local(*l);  // for port 0, with the port that the kernel chose, for the other cores
        if (!address) return std::unexpected(fmt::format("cannot listen on {}: {}", where, address.error().text));
        listeners.push_back({address->to_string(), std::move(*l)});
    }
    return listeners;
}

/// Whether the kernel was built or started without IPv6.
bool has_no_ipv6()
{
    const auto may = io::may_listen(*io::address::parse("[::]:0"));
    return !may && (may.error().number == EAFNOSUPPORT || may.error().number == EADDRNOTAVAIL);
}

/// The address in `present` with the host of `wanted`, whose port is 0.
std::optional<std::string> with_a_port(const io::address& wanted, const std::vector<std::string>& present)
{
    for (const std::string& text : present) {
        const auto a = io::address::parse(text);
        if (a && a->family() == wanted.family() && a->ip() == wanted.ip()) return text;
    }
    return std::nullopt;
}

}  // namespace

std::vector<std::string> settle_addresses(std::vector<std::string>& listen, const std::vector<std::string>& present)
{
    std::vector<std::string> notes;
    for (std::string& where : listen) {
        if (!where.starts_with(':') || !has_no_ipv6()) continue;
        const std::string all = "0.0.0.0" + where;
        notes.push_back(fmt::format("this kernel has no IPv6: the server listens on {} instead of `{}`", all, where));
        where = all;
    }
    std::vector<std::string> others = present;
    std::erase_if(others, [&](const std::string& one) { return contains(listen, one); });
    for (std::string& where : listen) {
        const auto a = io::address::parse(where);
        if (!a || a->family() == AF_UNIX || a->port() != 0) continue;
        where = with_a_port(*a, others).value_or(where);
    }
    return notes;
}

std::optional<std::string> path_of(std::string_view address)
{
    constexpr std::string_view prefix = "unix:";
    if (!address.starts_with(prefix) || address.substr(prefix.size()).starts_with('@')) return std::nullopt;
    return std::string(address.substr(prefix.size()));
}

io::socket_identity file_of(std::string_view address)
{
    const auto path = path_of(address);
    return path ? io::socket_identity::at(*path) : io::socket_identity();
}

std::expected<io::listener, std::string> listen_at_path(const std::string& address)
{
    const auto path = path_of(address);
    const auto at = io::address::parse(address);
    if (!path || !at) return std::unexpected(fmt::format("`{}` is not the path of a socket", address));
    auto l = io::listen(*at, backlog);
    if (!l && l.error().number == EADDRINUSE) {
        const io::socket_identity left = file_of(address);
        if (const auto who = who_listens_at(*at)) {
            return std::unexpected(fmt::format("{} is in use by process {}", address, *who));
        }
        if (!left) {
            return std::unexpected(fmt::format("cannot listen on {}: a file that is not a socket is there", address));
        }
        io::remove_socket(*path, left);
        l = io::listen(*at, backlog);
    }
    if (!l) return std::unexpected(fmt::format("cannot listen on {}: {}", address, l.error().text));
    return std::move(*l);
}

void address_change::name_ports(std::vector<std::string>& listen) const
{
    for (std::string& where : listen) {
        const auto a = io::address::parse(where);
        if (!a) continue;
        const auto named = std::ranges::find(chosen, a->to_string(), &chosen_port::wanted);
        if (named != chosen.end()) where = named->address;
    }
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

std::expected<address_change, std::vector<std::string>> move_addresses(const std::vector<std::string>& present,
                                                                       const settings& wanted,
                                                                       const steward_line& steward, when_in_use then)
{
    const std::vector<std::string> next = wanted_addresses(wanted);
    address_change change{
        .for_cores = std::vector<listening_change>(wanted.workers), .for_supervisor = {}, .chosen = {}};
    std::vector<std::string> wrong;
    for (const std::string& where : next) {
        if (contains(present, where)) continue;
        auto listeners = listen_on(where, wanted, present, steward, then);
        if (!listeners) {
            wrong.push_back(std::move(listeners.error()));
            continue;
        }
        const std::string address = listeners->front().address;
        if (address != where) change.chosen.push_back({where, address});
        for (unsigned i = 0; i < wanted.workers; ++i) {
            listening& one = (*listeners)[i];
            if (auto another = duplicate(one.socket)) {
                change.for_supervisor.opened.push_back({one.address, std::move(*another), one.file});
            } else {
                wrong.push_back(fmt::format("cannot listen on {}: {}", where, another.error().text));
            }
            change.for_cores[i].opened.push_back(std::move(one));
        }
    }
    if (!wrong.empty()) {
        steward.remove_files_of(change.for_cores.front().opened);
        return std::unexpected(std::move(wrong));
    }
    for (const std::string& where : present) {
        if (!contains(next, where)) change.for_supervisor.closed.push_back(where);
    }
    for (listening_change& of_core : change.for_cores) of_core.closed = change.for_supervisor.closed;
    return change;
}

}  // namespace server
