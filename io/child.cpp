// SPDX-License-Identifier: MIT
#include "io/child.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fmt/core.h>

#include "io/file_call.hpp"
#include "io/packet.hpp"

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

child_state::child_state(pid_t pid, socket line)
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
      line_(std::move(line)),
      pid_(pid)
{
}

bool child_state::ready()
{
    endpoint& e = line_.at();
    if (ended_) return true;
    if (!e.maybe_readable) return false;
    ended_ = has_ended(status_);
    e.maybe_readable = ended_;
    return ended_;
}

void child_state::delete_at_end()
{
    is_orphan_ = true;
    forget_waiting();
    arm();
}

namespace {

/// A child of this program. Its line is the pidfd.
class own_child final : public child_state {
  public:
    own_child(pid_t pid, socket pidfd, bool leads_group) : child_state(pid, std::move(pidfd)), leads_group_(leads_group)
    {
    }

    result<void> signal(int number) override
    {
        if (ready()) return {};
        if (syscall(SYS_pidfd_send_signal, line().number(), number, nullptr, 0) != 0 && errno != ESRCH) {
            return std::unexpected(error::of_errno());
        }
        return {};
    }
    result<void> signal_group(int number) override
    {
        CSP_CHECK(leads_group_, "the child is in a group with others");
        // A group is signalled by its id, which is safe only until the leader is reaped. Members that outlive the
        // leader are not signalled.
        if (ready()) return {};
        if (::kill(-pid(), number) != 0 && errno != ESRCH) return std::unexpected(error::of_errno());
        return {};
    }
    result<void> limit(int resource, const rlimit& to) override
    {
        if (ready()) return {};
        if (prlimit(pid(), static_cast<__rlimit_resource>(resource), &to, nullptr) != 0) {
            return std::unexpected(error::of_errno());
        }
        return {};
    }
    void abandon() noexcept override
    {
        if (!ready()) {
            // Until the child is reaped, its pid and its group's id cannot be reused.
            ::kill(leads_group_ ? -pid() : pid(), SIGKILL);
            if (line().at().home.owner() != nullptr) return delete_at_end();
            exit_status unused;
            reap(line().number(), 0, unused);
        }
        delete this;
    }
    void let_go() noexcept override { delete this; }

  private:
    bool has_ended(result<exit_status>& into) override
    {
        exit_status how;
        const std::int64_t outcome = reap(line().number(), WNOHANG, how);
        into = how;
        return outcome != -EAGAIN;
    }

    bool leads_group_;
};

/// A child of a keeper, at the other end of the line.
class kept_child final : public child_state {
  public:
    kept_child(pid_t pid, socket keeper) : child_state(pid, std::move(keeper)) {}

    result<void> signal(int number) override { return order({.what = child_order::kind::signal, .signal = number}); }
    result<void> signal_group(int number) override
    {
        return order({.what = child_order::kind::signal_group, .signal = number});
    }
    result<void> limit(int /*resource*/, const rlimit& /*to*/) override
    {
        return std::unexpected(error::of(EOPNOTSUPP));
    }
    void abandon() noexcept override
    {
        post({.what = child_order::kind::signal_group, .signal = SIGKILL});
        delete this;
    }
    void let_go() noexcept override
    {
        post({.what = child_order::kind::let_go});
        delete this;
    }

  private:
    void post(const child_order& what) noexcept
    {
        if (!ready()) post_packet(line().number(), bytes_of(what));
    }
    result<void> order(const child_order& what)
    {
        if (ready()) return {};
        return send_packet(line().number(), bytes_of(what));
    }
    bool has_ended(result<exit_status>& into) override
    {
        child_end how;
        const auto got = receive_packet(line().number(), room_of(how));
        if (!got && got.error().number == EAGAIN) return false;
        if (got && got->bytes == sizeof how) {
            into = exit_status{.code = how.code, .signal = how.signal, .usage = how.usage};
        } else {
            into = std::unexpected(error::of(error::was_closed));
        }
        return true;
    }
};

using child_pointer = std::unique_ptr<child_state, child_state_deleter>;

}  // namespace

void child_state_deleter::operator()(child_state* o) const noexcept { o->abandon(); }

}  // namespace detail

csp::step<result<exit_status>> child::exited(deadline until)
{
    while (!state_->ready()) {
        detail::readiness_call exit(state_->line(), detail::side::read, until, std::source_location::current());
        if (const auto waited = co_await exit; !waited) co_return std::unexpected(waited.error());
    }
    co_return state_->take();
}

result<void> child::kill(int signal) { return state_->signal(signal); }

result<void> child::kill_group(int signal) { return state_->signal_group(signal); }

result<void> child::limit(int resource, rlim_t soft, rlim_t hard) { return state_->limit(resource, {soft, hard}); }

std::vector<char*> pointers_to(std::vector<std::string>& strings)
{
    std::vector<char*> all;
    all.reserve(strings.size() + 1);
    for (std::string& s : strings) all.push_back(s.data());
    all.push_back(nullptr);
    return all;
}

namespace {

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
        return child(detail::child_pointer(new detail::own_child(pid, socket(std::move(pidfd)), leads_group)));
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

child child_of_keeper(pid_t pid, socket line)
{
    return child(detail::child_pointer(new detail::kept_child(pid, std::move(line))));
}

child child_of_fork(pid_t pid, descriptor pidfd)
{
    return child(detail::child_pointer(new detail::own_child(pid, socket(std::move(pidfd)), false)));
}

std::string exit_status::text() const
{
    return signal != 0 ? fmt::format("was killed by signal {}", signal) : fmt::format("exited with code {}", code);
}

}  // namespace io
