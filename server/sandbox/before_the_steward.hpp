// SPDX-License-Identifier: MIT
//
// What the sandbox permits beyond the server's own needs, because the server itself still starts its successor, reopens
// logs and opens unix sockets at a reload. These tables are the only place of such exceptions: an entry goes when
// another process does that work.
#pragma once

#include <array>
#include <seccomp.h>
#include <string_view>

namespace server::before_the_steward {

/// Logs are made and written beneath these directories, sockets of listeners are made and removed, programs are run.
constexpr std::array<const char*, 1> logs{"/"};
constexpr std::array<const char*, 1> sockets{"/"};
constexpr std::array<const char*, 1> programs{"/"};
/// What the successor reads to start, if [sandbox] `read` is set.
constexpr std::array<const char*, 3> readable{"/lib", "/lib64", "/usr"};

/// connect: to the sockets of syslog and of the journal, and to a unix socket to see who listens there. pidfd_*, wait*,
/// kill, clone and execve: to start a successor and to watch it. The others are for the successor's own start, since it
/// inherits the filter.
constexpr std::array calls{SCMP_SYS(connect), SCMP_SYS(execve), SCMP_SYS(clone), SCMP_SYS(vfork), SCMP_SYS(waitid),
                           SCMP_SYS(wait4), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal), SCMP_SYS(kill),
                           SCMP_SYS(chdir), SCMP_SYS(close_range), SCMP_SYS(dup2), SCMP_SYS(setpgid),
                           // of the successor
                           SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address),
                           SCMP_SYS(prlimit64), SCMP_SYS(prctl), SCMP_SYS(seccomp), SCMP_SYS(landlock_create_ruleset),
                           SCMP_SYS(landlock_add_rule), SCMP_SYS(landlock_restrict_self), SCMP_SYS(io_uring_setup),
                           SCMP_SYS(io_uring_register), SCMP_SYS(io_uring_enter), SCMP_SYS(epoll_create1),
                           SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
                           SCMP_SYS(accept4), SCMP_SYS(lchown), SCMP_SYS(umask), SCMP_SYS(signalfd4), SCMP_SYS(capset),
                           SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(setuid),
                           SCMP_SYS(personality), SCMP_SYS(ioctl), SCMP_SYS(fcntl), SCMP_SYS(getppid), SCMP_SYS(uname)};

}  // namespace server::before_the_steward
