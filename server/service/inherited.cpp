// SPDX-License-Identifier: MIT
#include "server/service/inherited.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include <fmt/core.h>

#include "io/address.hpp"
#include "server/service/control_socket.hpp"
#include "server/service/listeners.hpp"

namespace server {
namespace {

constexpr const char* from_predecessor = "OCCWSERV_LISTEN_FDS";
constexpr const char* from_manager_first = "OCCWSERV_LISTEN_FDS_OF_MANAGER";
constexpr const char* files_of_sockets = "OCCWSERV_LISTEN_FILES";  // "DEVICE:INODE " of each unix socket's file

/// The value of a variable, which is removed, so that no child process takes it as meant for itself.
std::optional<std::string> take_text(const char* variable)
{
    const char* const text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    std::string value = text;
    ::unsetenv(variable);
    return value;
}

std::optional<int> take_number(const char* variable)
{
    const auto text = take_text(variable);
    if (!text) return std::nullopt;
    int value = 0;  // stays 0 if the text is not a number
    std::from_chars(text->data(), text->data() + text->size(), value);
    return std::max(0, value);
}

/// Reads identities until the first word that is not one.
std::vector<io::socket_identity> read_identities(const std::string& text)
{
    std::vector<io::socket_identity> all;
    std::istringstream words(text);
    io::socket_identity one;
    char colon = 0;
    while (words >> one.device >> colon >> one.inode) all.push_back(one);
    return all;
}

/// Whether the descriptor is open. If so, sets it to be closed on exec.
bool is_open(int fd) { return ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0; }

/// Every open descriptor with this number or a higher one.
std::vector<io::descriptor> take_descriptors_from(int first)
{
    std::vector<int> numbers;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", failed)) {
        const std::string name = entry.path().filename();
        int number = 0;
        std::from_chars(name.data(), name.data() + name.size(), number);
        if (number >= first) numbers.push_back(number);
    }
    // Without /proc there is no /dev/fd either, so the configuration cannot name them, and they can be closed at once.
    if (failed) ::close_range(static_cast<unsigned>(first), ~0U, 0);
    std::vector<io::descriptor> all;
    for (const int number : numbers) {
        if (is_open(number)) all.emplace_back(number);  // not the one of the directory, which is closed by now
    }
    return all;
}

int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

std::string address_of(const io::listener& l)
{
    const auto address = io::local(l);
    return address ? address->to_string() : "?";
}

std::expected<io::listener, std::string> listener_at(int fd)
{
    if (option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1 || option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) {
        return std::unexpected(fmt::format("the inherited descriptor {} is not a listening stream socket", fd));
    }
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it; fails on a unix socket
    return io::listener(io::descriptor(fd));
}

}  // namespace

void predecessor::tell(std::string_view line) const
{
    if (!to_) return;
    const std::string whole = fmt::format("{}\n", line);
    // An error means that the predecessor has ended, which is ignored. A predecessor of an earlier version passes a
    // pipe.
    const auto sent = ::send(to_.number(), whole.data(), whole.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == ENOTSOCK) (void)!::write(to_.number(), whole.data(), whole.size());
}

bool predecessor::is_there() const
{
    char byte = 0;
    if (!to_) return false;
    const auto received = ::recv(to_.number(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return received > 0 || (received < 0 && errno == EAGAIN);
}

bool predecessor::has_left() const
{
    pollfd line{.fd = to_.number(), .events = 0, .revents = 0};
    return to_ && ::poll(&line, 1, 0) == 1 && (line.revents & POLLHUP) != 0;
}

pid_t predecessor::process() const
{
    const auto peer = peer_credentials(to_.number());
    return peer ? peer->process : 0;
}

io::descriptor predecessor::another() const { return io::descriptor(::fcntl(to_.number(), F_DUPFD_CLOEXEC, 0)); }

bool occupy_standard_streams()
{
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        // open() returns the lowest free number, which is this one, since those before it are open.
        if (::fcntl(number, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != number) return false;
    }
    return true;
}

std::expected<inheritance, std::string> inherit()
{
    inheritance all;
    const auto of_whom = take_number("LISTEN_PID");
    const auto by_systemd = take_number("LISTEN_FDS");
    ::unsetenv("LISTEN_FDNAMES");
    const auto by_predecessor = take_number(from_predecessor);
    const auto by_manager_first = take_number(from_manager_first);
    const auto files = read_identities(take_text(files_of_sockets).value_or(""));
    int count = 0;
    int reports = 0;
    if (by_predecessor) {
        count = *by_predecessor;
        const int report = first_inherited + count;
        if (is_open(report)) {
            ::fcntl(report, F_SETFL, ::fcntl(report, F_GETFL) | O_NONBLOCK);
            all.old_server = predecessor(io::descriptor(report));
        }
        reports = 1;
        if (by_manager_first) all.addresses = who_chooses_addresses::manager;
    } else if (by_systemd && of_whom == ::getpid()) {
        count = *by_systemd;
        if (count > 0) all.addresses = who_chooses_addresses::manager;
    }
    for (int fd = first_inherited; fd < first_inherited + count; ++fd) {
        auto l = listener_at(fd);
        if (!l) return std::unexpected(l.error());
        std::string address = address_of(*l);
        const auto place = static_cast<std::size_t>(fd - first_inherited);
        io::socket_identity file = place < files.size() ? files[place] : file_of(address);
        all.sockets.push_back({std::move(address), std::move(*l), file});
    }
    all.others = take_descriptors_from(first_inherited + count + reports);
    return all;
}

std::vector<std::string> environment_for_successor(const std::vector<listening>& sockets, who_chooses_addresses whose)
{
    std::vector<std::string> all;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        // WATCHDOG_PID is this process, so the successor would think that the watchdog is not for it.
        if (!std::string_view(*variable).starts_with("WATCHDOG_PID=")) all.emplace_back(*variable);
    }
    all.push_back(fmt::format("{}={}", from_predecessor, sockets.size()));
    std::string files = fmt::format("{}=", files_of_sockets);
    for (const listening& l : sockets) files += fmt::format("{}:{} ", l.file.device, l.file.inode);
    all.push_back(std::move(files));
    if (whose == who_chooses_addresses::manager) all.push_back(fmt::format("{}=1", from_manager_first));
    return all;
}

own_command how_we_were_started(int count, const char* const* words, who_chooses_addresses addresses)
{
    own_command c;
    std::array<char, 4096> path;
    const auto size = ::readlink("/proc/self/exe", path.data(), path.size());
    c.program = size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : words[0];
    c.arguments.assign(words, words + count);
    c.addresses = addresses;
    return c;
}

io::result<io::listener> duplicate(const io::listener& l)
{
    io::descriptor d(::fcntl(l.number(), F_DUPFD_CLOEXEC, 0));
    if (!d) return std::unexpected(io::error::of_errno());
    return io::listener(std::move(d));
}

std::expected<std::vector<std::vector<listening>>, std::string> share_among_cores(std::vector<listening> sockets,
                                                                                  unsigned cores)
{
    std::map<std::string, std::vector<listening>> by_address;
    for (listening& l : sockets) by_address[l.address].push_back(std::move(l));

    std::vector<std::vector<listening>> shares(cores);
    for (auto& [address, given] : by_address) {
        const std::size_t there = given.size();
        for (std::size_t i = there; i < cores; ++i) {
            auto copy = duplicate(given[i % there].socket);
            if (!copy)
                return std::unexpected(
                    fmt::format("cannot duplicate the socket of {} for each core: {}", address, copy.error().text));
            given.push_back({address, std::move(*copy), given[i % there].file});
        }
        for (std::size_t i = 0; i < given.size(); ++i) shares[i % cores].push_back(std::move(given[i]));
    }
    return shares;
}

std::vector<std::string> addresses_of(const std::vector<listening>& sockets)
{
    std::vector<std::string> all;
    for (const listening& l : sockets) {
        if (std::ranges::find(all, l.address) == all.end()) all.push_back(l.address);
    }
    return all;
}

}  // namespace server
