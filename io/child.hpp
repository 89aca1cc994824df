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

/// What to run, and with what. The child inherits nothing but what is said here.
struct command {
    std::string program;                                  // a path; no search
    std::vector<std::string> arguments;                   // argv[0] included
    std::vector<std::string> environment;                 // "NAME=value"
    std::vector<std::pair<descriptor, int>> descriptors;  // ours, and the child's number for it; the rest are closed
    std::string directory;                                // empty: ours
    enum class group : std::uint8_t { ours, its_own } process_group = group::its_own;
};

struct exit_status {
    int code = 0;    // when it ended by itself
    int signal = 0;  // when a signal ended it
    rusage usage{};
    [[nodiscard]] bool succeeded() const { return code == 0 && signal == 0; }
};

namespace detail {

/// A running child; an event source that becomes ready when it has exited.
class offspring : public event_source, watch {
  public:
    offspring(pid_t pid, socket exit);
    [[nodiscard]] bool ready();
    void arm() { start(exit_.at()); }
    /// Leaves the endpoint to another waiter: an ALT that chose something else is still heard on it.
    void disarm() { stop(); }
    [[nodiscard]] result<exit_status> take();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] socket& exit() { return exit_; }
    /// Its owner has dropped it: kills it if need be, and deletes this when it is reaped.
    void abandon() noexcept;
    /// Its owner leaves it to itself.
    void let_go() noexcept { delete this; }
    bool leads_group = false;

  private:
    socket exit_;  // the pidfd
    pid_t pid_;
    bool reaped_ = false;
    bool is_orphan_ = false;
    exit_status status_;
};

struct offspring_end {
    void operator()(offspring* o) const noexcept;
};

}  // namespace detail

/// A process of the operating system. When dropped while it still runs it is killed, with its group, and reaped.
class child {
  public:
    child() = default;
    explicit child(std::unique_ptr<detail::offspring, detail::offspring_end> state) : state_(std::move(state)) {}
    child(child&&) noexcept = default;
    child& operator=(child&&) noexcept = default;

    [[nodiscard]] explicit operator bool() const { return state_ != nullptr; }
    [[nodiscard]] pid_t pid() const { return state_->pid(); }

    /// Waits for its end; may be asked again.
    [[nodiscard]] csp::step<result<exit_status>> exited(deadline until = no_deadline);
    /// Signals it. No error when it has already exited.
    result<void> kill(int signal);
    /// Signals its whole group. REQUIRES: group::its_own.
    result<void> kill_group(int signal);
    /// RLIMIT_CPU and its like.
    result<void> limit(int resource, rlim_t soft, rlim_t hard);

    /// Leaves it to itself: it goes on, whatever becomes of us.
    void let_go() && { state_.release()->let_go(); }

    // In an ALT it is ready when it has exited.
    using guard = detail::source_guard<detail::offspring>;
    [[nodiscard]] detail::offspring* guarded() const { return state_.get(); }

  private:
    std::unique_ptr<detail::offspring, detail::offspring_end> state_;
};

/// Starts a child, without holding up the core while its program is loaded.
[[nodiscard]] csp::step<result<child>> spawn(command what);

}  // namespace io
