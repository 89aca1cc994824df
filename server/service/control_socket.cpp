// SPDX-License-Identifier: MIT
#include "server/service/control_socket.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <fmt/core.h>

#include "io/address.hpp"

namespace server {

std::optional<credentials> peer_credentials(int socket)
{
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return std::nullopt;
    return credentials{who.pid, who.uid};
}

std::optional<pid_t> who_listens_at(const io::address& at)
{
    constexpr std::chrono::milliseconds pause{10};
    for (int more = 100;; --more) {
        const io::descriptor s(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        // EAGAIN: somebody listens, but the accept queue is full.
        if (::connect(s.number(), at.data(), at.size()) != 0 && errno != EAGAIN) return std::nullopt;
        const auto who = peer_credentials(s.number());
        const bool lives = !who || ::kill(who->process, 0) == 0 || errno != ESRCH;
        if (lives || more == 0) return who ? who->process : 0;
        std::this_thread::sleep_for(pause);
    }
}

std::string path_beside(const std::string& path, pid_t process) { return fmt::format("{}.{}", path, process); }

std::expected<control_socket, std::string> open_control_socket(const std::string& path,
                                                               const std::optional<user_account>& owner,
                                                               place_taken when_taken)
{
    const auto refuse = [&](std::string_view why) {
        return std::unexpected(fmt::format("the control socket {} cannot be made: {}", path, why));
    };
    const auto at = io::address::parse("unix:" + path);
    // Created beside its path and then renamed, so that there is always a socket at the path.
    const std::string beside = path_beside(path, ::getpid());
    const auto made = io::address::parse("unix:" + beside);
    if (!at || !made) return refuse("the path is too long for a socket");
    struct stat there{};
    if (::lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) return refuse("another file is there");
    if (const auto who = who_listens_at(*at); who && when_taken == place_taken::refuse) {
        return refuse(fmt::format("process {} listens there already", *who));
    }
    ::unlink(beside.c_str());
    const mode_t before = ::umask(0177);  // at no moment may other users connect
    auto listening = io::listen(*made, 16);
    ::umask(before);
    if (!listening) return refuse(std::strerror(listening.error().number));
    control_socket made_here{std::move(*listening), path, io::socket_file(beside)};
    if (owner && ::lchown(beside.c_str(), owner->user, owner->group) != 0) return refuse(std::strerror(errno));
    if (when_taken != place_taken::stay_beside && !made_here.file.move_to(path)) return refuse(std::strerror(errno));
    return made_here;
}

}  // namespace server
