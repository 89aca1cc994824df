// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "csp/process.hpp"
#include "io/error.hpp"
#include "io/event_source.hpp"
#include "io/socket.hpp"

namespace io {

/// A program to run, with everything that the child inherits.
struct command {
    std::string program;                                  // a path; PATH is not searched
    std::vector<std::string> arguments;                   // argv[0] included
    std::vector<std::string> environment;                 // "NAME=value"
    std::vector<std::pair<descriptor, int>> descriptors;  // ours, and its number in the child; all others are closed
    std::string directory;                                // working directory; empty: ours
    enum class group : std::uint8_t { ours, its_own } process_group = group::its_own;
};

/// The strings as execve(2) takes them. They must outlive the result.
[[nodiscard]] std::vector<char*> pointers_to(std::vector<std::string>& strings);

struct exit_status {
    int code = 0;    // if it exited
    int signal = 0;  // if a signal ended it
    rusage usage{};
    [[nodiscard]] bool succeeded() const { return code == 0 && signal == 0; }
    /// "exited with code 1" or "was killed by signal 9".
    [[nodiscard]] std::string text() const;
};

/// An order to the keeper of a child (child_of_keeper()), in one packet.
struct child_order {
    enum class kind : std::uint32_t { signal = 1, signal_group, let_go };

    kind what = kind::signal;
    std::int32_t signal = 0;
};
/// The keeper's report that the child has ended, in one packet.
struct child_end {
    std::int32_t code = 0;
    std::int32_t signal = 0;
    rusage usage{};
};

namespace detail {

/// A running child; an event source that becomes ready when it has exited.
class child_state : public event_source, watch {
  public:
    virtual ~child_state() = default;
    [[nodiscard]] bool ready();
    void arm() { start(line_.at()); }
    /// Stops watching the endpoint, so that exited() can wait on it.
    void disarm() noexcept { stop(); }
    [[nodiscard]] result<exit_status> take() { return status_; }

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] socket& line() { return line_; }

    virtual result<void> signal(int number) = 0;
    virtual result<void> signal_group(int number) = 0;
    virtual result<void> limit(int resource, const rlimit& to) = 0;
    /// Called when the owner drops a child: kills it if it still runs, and deletes this object when the child has been
    /// reaped.
    virtual void abandon() noexcept = 0;
    /// Deletes this object; the child continues to run.
    virtual void let_go() noexcept = 0;

  protected:
    child_state(pid_t pid, socket line);
    /// Whether the child has ended; then `into` says how. Does not wait.
    virtual bool has_ended(result<exit_status>& into) = 0;
    /// Has this object deleted when the child has ended.
    void delete_at_end();

  private:
    socket line_;  // readable when the child has ended
    pid_t pid_;
    bool ended_ = false;
    bool is_orphan_ = false;
    result<exit_status> status_;
};

struct child_state_deleter {
    void operator()(child_state* o) const noexcept;
};

}  // namespace detail

/// A process of the operating system. If it is dropped while it runs, it is killed, with its process group, and reaped.
class child {
  public:
    child() = default;
    explicit child(std::unique_ptr<detail::child_state, detail::child_state_deleter> state) : state_(std::move(state))
    {
    }
    child(child&&) noexcept = default;
    child& operator=(child&&) noexcept = default;

    [[nodiscard]] explicit operator bool() const { return state_ != nullptr; }
    [[nodiscard]] pid_t pid() const { return state_->pid(); }

    /// Waits for its end. May be called again. An error closed() if its keeper has ended.
    [[nodiscard]] csp::step<result<exit_status>> exited(deadline until = no_deadline);
    /// Sends it a signal. No error if it has already exited.
    result<void> kill(int signal);
    /// Sends a signal to its process group. REQUIRES: group::its_own.
    result<void> kill_group(int signal);
    /// Sets a resource limit, such as RLIMIT_CPU. EOPNOTSUPP for a child of a keeper, which has set the limits.
    result<void> limit(int resource, rlim_t soft, rlim_t hard);

    /// Detaches it: the child continues to run, even when this program ends.
    void let_go() && { state_.release()->let_go(); }

    // In an ALT, ready when it has exited.
    using guard = detail::source_guard<detail::child_state>;
    [[nodiscard]] detail::child_state* guarded() const { return state_.get(); }

  private:
    std::unique_ptr<detail::child_state, detail::child_state_deleter> state_;
};

/// Starts a child. The core is not blocked while the program is loaded.
[[nodiscard]] csp::step<result<child>> spawn(command what);

/// A child of another process, its keeper, which has started it for us, waits for it, and sends one child_end on
/// `line`, a packet socket (io/packet.hpp). The keeper takes a child_order at any time. If the child leads no group, an
/// order for its group is for the child alone.
[[nodiscard]] child child_of_keeper(pid_t pid, socket line);

/// A child that this program has started by fork(2); `pidfd` is from pidfd_open(2).
[[nodiscard]] child child_of_fork(pid_t pid, descriptor pidfd);

}  // namespace io
