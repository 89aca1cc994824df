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

struct exit_status {
    int code = 0;    // if it exited
    int signal = 0;  // if a signal ended it
    rusage usage{};
    [[nodiscard]] bool succeeded() const { return code == 0 && signal == 0; }
};

namespace detail {

/// A running child; an event source that becomes ready when it has exited.
class child_state : public event_source, watch {
  public:
    child_state(pid_t pid, socket exit);
    [[nodiscard]] bool ready();
    void arm() { start(exit_.at()); }
    /// Stops watching the endpoint, so that exited() can wait on it: after an ALT that chose another alternative the
    /// watch is still active.
    void disarm() { stop(); }
    [[nodiscard]] result<exit_status> take();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] socket& exit() { return exit_; }
    /// Called when the owner drops a child: kills it if it still runs, and deletes this object when the child has been
    /// reaped.
    void abandon() noexcept;
    /// Deletes this object; the child continues to run.
    void let_go() noexcept { delete this; }
    bool leads_group = false;

  private:
    socket exit_;  // the pidfd
    pid_t pid_;
    bool reaped_ = false;
    bool is_orphan_ = false;
    exit_status status_;
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

    /// Waits for its end. May be called again.
    [[nodiscard]] csp::step<result<exit_status>> exited(deadline until = no_deadline);
    /// Sends it a signal. No error if it has already exited.
    result<void> kill(int signal);
    /// Sends a signal to its process group. REQUIRES: group::its_own.
    result<void> kill_group(int signal);
    /// Sets a resource limit, such as RLIMIT_CPU.
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

}  // namespace io
