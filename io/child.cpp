// SPDX-License-Identifier: MIT
#include "io/child.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "io/file_call.hpp"

namespace io {
namespace detail {
namespace {

std::int64_t reap(int pidfd, int how, exit_status& into)
{
    siginfo_t info{};
    // The system call also returns the resource usage; the C library's wrapper does not.
    if (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | how, &into.usage) != 0) return -errno;
    if (info.si_pid == 0) return -EAGAIN;
    (info.si_code == CLD_EXITED ? into.code : into.signal) = info.si_status;
    return 0;
}

}  // namespace

child_state::child_state(pid_t pid, socket exit)
    : watch([](watch& w) noexcept {
          auto& self = static_cast<child_state&>(w);
          if (!self.ready()) {
              self.arm();
          } else if (self.is_orphan_) {
              delete &self;
          } else {
              self.notify();
          }
      }),
      exit_(std::move(exit)),
      pid_(pid)
{
}

bool child_state::ready()
{
    endpoint& e = exit_.at();
    if (reaped_) return true;
    if (!e.maybe_readable) return false;
    const std::int64_t outcome = reap(e.fd, WNOHANG, status_);
    reaped_ = outcome != -EAGAIN;
    e.maybe_readable = reaped_;
    return reaped_;
}

result<exit_status> child_state::take() { return status_; }

void child_state::abandon() noexcept
{
    if (!ready()) {
        // Until the child is reaped, its pid and its group's id cannot be reused.
        ::kill(leads_group ? -pid_ : pid_, SIGKILL);
        if (exit_.at().home.owner() != nullptr) {
            is_orphan_ = true;
            forget_waiting();
            arm();
            return;
        }
        reap(exit_.number(), 0, status_);
    }
    delete this;
}

void child_state_deleter::operator()(child_state* o) const noexcept { o->abandon(); }

}  // namespace detail

csp::step<result<exit_status>> child::exited(deadline until)
{
    state_->disarm();
    while (!state_->ready()) {
        detail::readiness_call exit(state_->exit(), detail::side::read, until, std::source_location::current());
        if (const auto waited = co_await exit; !waited) co_return std::unexpected(waited.error());
    }
    co_return state_->take();
}

result<void> child::kill(int signal)
{
    if (state_->ready()) return {};
    if (syscall(SYS_pidfd_send_signal, state_->exit().number(), signal, nullptr, 0) != 0 && errno != ESRCH) {
        return std::unexpected(error::of_errno());
    }
    return {};
}

result<void> child::kill_group(int signal)
{
    CSP_CHECK(state_->leads_group, "the child is in a group with others");
    // A group is signalled by its id, which is safe only until the leader is reaped. Members that outlive the leader
    // are not signalled.
    if (state_->ready()) return {};
    if (::kill(-state_->pid(), signal) != 0 && errno != ESRCH) return std::unexpected(error::of_errno());
    return {};
}

result<void> child::limit(int resource, rlim_t soft, rlim_t hard)
{
    const rlimit to{soft, hard};
    if (state_->ready()) return {};
    if (prlimit(state_->pid(), static_cast<__rlimit_resource>(resource), &to, nullptr) != 0) {
        return std::unexpected(error::of_errno());
    }
    return {};
}

namespace {

std::vector<char*> pointers_to(std::vector<std::string>& strings)
{
    std::vector<char*> all;
    all.reserve(strings.size() + 1);
    for (std::string& s : strings) all.push_back(s.data());
    all.push_back(nullptr);
    return all;
}

struct launch {
    command what;
    int pidfd = -1;

    /// Returns the pid, or a negative errno.
    [[nodiscard]] std::int64_t perform()
    {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        std::int64_t done = 0;
        try {
            done = prepare(actions, attributes);
            if (done == 0) done = start(actions, attributes);
        } catch (const std::bad_alloc&) {
            done = -ENOMEM;
        }
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        return done;
    }

  private:
    std::int64_t prepare(posix_spawn_file_actions_t& actions, posix_spawnattr_t& attributes)
    {
        // A number that the child wants may be that of a descriptor still to be passed, so all are first moved to
        // higher numbers.
        int above = 2;
        for (const auto& [ours, childs] : what.descriptors) above = std::max(above, childs);
        for (auto& [ours, childs] : what.descriptors) {
            descriptor moved(fcntl(ours.number(), F_DUPFD_CLOEXEC, above + 1));
            if (!moved) return -errno;
            ours = std::move(moved);
            posix_spawn_file_actions_adddup2(&actions, ours.number(), childs);
        }
        for (int n = 0; n <= above; ++n) {
            if (std::ranges::find(what.descriptors, n, &std::pair<descriptor, int>::second) != what.descriptors.end()) {
                continue;
            }
            if (n <= 2) {
                posix_spawn_file_actions_addopen(&actions, n, "/dev/null", O_RDWR, 0);
            } else {
                posix_spawn_file_actions_addclose(&actions, n);
            }
        }
        posix_spawn_file_actions_addclosefrom_np(&actions, above + 1);
        if (!what.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, what.directory.c_str());

        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        if (what.process_group == command::group::its_own) flags |= POSIX_SPAWN_SETPGROUP;
        posix_spawnattr_setflags(&attributes, flags);
        return 0;
    }

    std::int64_t start(const posix_spawn_file_actions_t& actions, const posix_spawnattr_t& attributes)
    {
        const std::vector<char*> arguments = pointers_to(what.arguments);
        const std::vector<char*> environment = pointers_to(what.environment);
        pid_t pid = 0;
        const int problem =
            posix_spawn(&pid, what.program.c_str(), &actions, &attributes, arguments.data(), environment.data());
        if (problem != 0) return -problem;
        // The child is not reaped yet, so the pid is still its own even if it has exited.
        pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
        if (pidfd >= 0) return pid;
        const int no_pidfd = errno;
        ::kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
        return -no_pidfd;
    }
};

/// Makes the object that owns a child. If there is no memory for it, ends the child.
result<child> own(pid_t pid, descriptor pidfd, bool leads_group)
{
    try {
        std::unique_ptr<detail::child_state, detail::child_state_deleter> state(
            new detail::child_state(pid, socket(std::move(pidfd))));
        state->leads_group = leads_group;
        return child(std::move(state));
    } catch (const std::bad_alloc&) {
        // Until the child is reaped, its pid and its group's id cannot be reused.
        ::kill(leads_group ? -pid : pid, SIGKILL);
        waitpid(pid, nullptr, 0);
        return std::unexpected(error::of(ENOMEM));
    }
}

}  // namespace

csp::step<result<child>> spawn(command what)
{
    const bool leads = what.process_group == command::group::its_own;
    launch l{std::move(what)};
    detail::file_call call(detail::file_action::function, -1, no_deadline, std::source_location::current());
    call.function = [](void* of) { return static_cast<launch*>(of)->perform(); };
    call.argument = &l;
    const auto pid = co_await call;
    if (!pid) co_return std::unexpected(pid.error());
    co_return own(static_cast<pid_t>(*pid), descriptor(l.pidfd), leads);
}

}  // namespace io
