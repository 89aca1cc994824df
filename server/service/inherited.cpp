// SPDX-License-Identifier: MIT
#include "server/service/inherited.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/core.h>

#include "io/address.hpp"

namespace server {
namespace {

constexpr const char* from_predecessor = "OCCWSERV_LISTEN_FDS";
constexpr const char* from_manager_first = "OCCWSERV_LISTEN_FDS_OF_MANAGER";

/// The number in a variable, which is then removed: no child of ours shall believe that it is meant.
std::optional<int> take_number(const char* variable)
{
    const char* const text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    int value = 0;  // also of what is no number
    std::from_chars(text, text + std::strlen(text), value);
    ::unsetenv(variable);
    return value;
}

int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

std::expected<io::listener, std::string> listener_at(int fd)
{
    if (option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1 || option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) {
        return std::unexpected(
            fmt::format("descriptor {} was handed over as a listening stream socket and is none", fd));
    }
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // not for a unix socket, which refuses
    return io::listener(io::descriptor(fd));
}

}  // namespace

void predecessor::tell(std::string_view line) &&
{
    if (!to_) return;
    const std::string whole = fmt::format("{}\n", line);
    (void)!::write(to_.number(), whole.data(), whole.size());  // it has gone: then it wants to know nothing
    to_ = {};
}

std::expected<inheritance, std::string> inherit()
{
    inheritance all;
    const auto of_whom = take_number("LISTEN_PID");
    const auto by_systemd = take_number("LISTEN_FDS");
    ::unsetenv("LISTEN_FDNAMES");
    const auto by_predecessor = take_number(from_predecessor);
    const auto by_manager_first = take_number(from_manager_first);
    int count = 0;
    if (by_predecessor) {
        count = *by_predecessor;
        const int report = first_inherited + count;
        ::fcntl(report, F_SETFD, FD_CLOEXEC);
        all.before_us = predecessor(io::descriptor(report));
        if (by_manager_first) all.addresses = who_chooses_addresses::manager;
    } else if (by_systemd && of_whom == ::getpid()) {
        count = *by_systemd;
        if (count > 0) all.addresses = who_chooses_addresses::manager;
    }
    for (int fd = first_inherited; fd < first_inherited + count; ++fd) {
        auto l = listener_at(fd);
        if (!l) return std::unexpected(l.error());
        all.sockets.push_back(std::move(*l));
    }
    return all;
}

std::vector<std::string> environment_for_heir(std::size_t sockets, who_chooses_addresses whose)
{
    std::vector<std::string> all;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        // The watchdog waits for the heir as it has waited for us, but knows only our number.
        if (!std::string_view(*variable).starts_with("WATCHDOG_PID=")) all.emplace_back(*variable);
    }
    all.push_back(fmt::format("{}={}", from_predecessor, sockets));
    if (whose == who_chooses_addresses::manager) all.push_back(fmt::format("{}=1", from_manager_first));
    return all;
}

io::result<io::listener> duplicate(const io::listener& l)
{
    io::descriptor d(::fcntl(l.number(), F_DUPFD_CLOEXEC, 0));
    if (!d) return std::unexpected(io::error::of_errno());
    return io::listener(std::move(d));
}

std::string address_of(const io::listener& l)
{
    const auto address = io::local(l);
    return address ? address->to_string() : "?";
}

std::expected<std::vector<std::vector<listening>>, std::string> share_among_cores(std::vector<io::listener> sockets,
                                                                                  unsigned cores)
{
    std::map<std::string, std::vector<io::listener>> by_address;
    for (io::listener& l : sockets) by_address[address_of(l)].push_back(std::move(l));

    std::vector<std::vector<listening>> shares(cores);
    for (auto& [address, given] : by_address) {
        const std::size_t there = given.size();
        for (std::size_t i = there; i < cores; ++i) {
            auto copy = duplicate(given[i % there]);
            if (!copy) return std::unexpected(fmt::format("no descriptor is left for {}", address));
            given.push_back(std::move(*copy));
        }
        for (std::size_t i = 0; i < given.size(); ++i) shares[i % cores].push_back({address, std::move(given[i])});
    }
    return shares;
}

std::vector<std::string> addresses_of(const std::vector<io::listener>& sockets)
{
    std::vector<std::string> all;
    for (const io::listener& l : sockets) {
        std::string address = address_of(l);
        if (std::ranges::find(all, address) == all.end()) all.push_back(std::move(address));
    }
    return all;
}

}  // namespace server
