// SPDX-License-Identifier: MIT
#include "server/sandbox/launch.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/child.hpp"

namespace server {
namespace {

/// What failed, as a sentence; empty if nothing did.
using problem = std::string;

problem of_errno(std::string_view what) { return std::string(what) + ": " + std::strerror(errno); }

/// Gives the descriptors their numbers in the program. A number may be that of a descriptor still to be passed, so all
/// are first moved above the highest.
problem place(std::vector<std::pair<io::descriptor, int>>& descriptors)
{
    int above = STDERR_FILENO;
    for (const auto& [ours, number] : descriptors) above = std::max(above, number);
    for (auto& [ours, number] : descriptors) {
        io::descriptor moved(::fcntl(ours.number(), F_DUPFD_CLOEXEC, above + 1));
        if (!moved) return of_errno("no file descriptor is left");
        ours = std::move(moved);
    }
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);  // dup2() leaves the copies open
    for (const auto& [ours, number] : descriptors) {
        if (::dup2(ours.number(), number) < 0) return of_errno("a descriptor cannot be passed");
    }
    return {};
}

void reset_signals()
{
    // By the system call, since the C library leaves alone the two signals that it uses itself.
    struct {
        void (*handler)(int) = SIG_DFL;
        unsigned long flags = 0;
        void (*restorer)() = nullptr;
        std::uint64_t mask = 0;
    } const by_default;
    for (int signal = 1; signal < NSIG; ++signal) {
        ::syscall(SYS_rt_sigaction, signal, &by_default, nullptr, sizeof by_default.mask);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// Niceness and limits before the switch of the user, since only root can raise them.
problem set_bounds(const launch& what)
{
    errno = 0;
    if (what.niceness != 0 && ::nice(what.niceness) == -1 && errno != 0) return of_errno("niceness");
    for (const auto& [resource, limit] : what.limits) {
        if (::setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return of_errno("a resource limit");
    }
    return {};
}

/// The death signal after the switch of the user, which clears it.
problem set_identity(const launch& what)
{
    if (what.process_group == launch::group::its_own && ::setpgid(0, 0) != 0) return of_errno("process group");
    const pid_t parent = ::getppid();
    if (what.user) {
        if (auto switched = switch_user(*what.user); !switched) return std::move(switched.error());
    }
    if (::prctl(PR_SET_PDEATHSIG, what.death_signal) != 0) return of_errno("death signal");
    if (what.death_signal != 0 && ::getppid() != parent) return "the steward has ended";
    return {};
}

}  // namespace

std::string become(launch what)
{
    if (auto failed = place(what.descriptors); !failed.empty()) return failed;
    if (auto failed = set_bounds(what); !failed.empty()) return failed;
    if (auto failed = set_identity(what); !failed.empty()) return failed;
    if (!what.directory.empty() && ::chdir(what.directory.c_str()) != 0) return of_errno(what.directory);
    reset_signals();
    const std::vector<char*> arguments = io::pointers_to(what.arguments);
    const std::vector<char*> environment = io::pointers_to(what.environment);
    ::execve(what.program.c_str(), arguments.data(), environment.data());
    return std::strerror(errno);
}

}  // namespace server
