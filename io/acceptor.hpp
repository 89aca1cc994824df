// SPDX-License-Identifier: MIT
//
// New connections as an event source:
//
//   io::acceptor connections(std::move(listener));
//   auto chosen = co_await pri_alt(stop, connections);
//   if (chosen == connections) { auto connection = co_await connections.next(); ... }
#pragma once

#include <memory>
#include <source_location>

#include "io/event_source.hpp"
#include "io/socket.hpp"

namespace io {

namespace detail {

class accepting;
struct accepting_end {
    void operator()(accepting* a) const noexcept;
};

/// What happens to the connections in the accept queue when an acceptor finishes. `left`: they stay there for other
/// processes that share the listening socket, except for one last batch, since perhaps no other process shares it.
/// `taken`: the acceptor takes them all, up to a limit, and then shuts the listening socket down, also for those who
/// share it.
enum class last_clients : std::uint8_t { left, taken };

/// How many connections may be accepted before the process asks for them. `one`: for when descriptors are scarce,
/// because each accepted connection has one. `many`: with io_uring up to the length of the accept queue, if they arrive
/// at once.
enum class in_advance : std::uint8_t { one, many };

/// The part of `accepting` that ALT and next() use.
class accept_source : public event_source {
  public:
    [[nodiscard]] bool ready();
    void arm();
    [[nodiscard]] result<socket> take();
    void finish(last_clients who);
};

}  // namespace detail

/// Takes connections from a listener. It may be moved until a process first waits on it, and then belongs to that core.
/// Returns an error for a connection that cannot be accepted. If descriptors or memory have run out, or errors follow
/// one another, it pauses for 10 ms to 1 s, so the process may just log the error and continue. After it has returned
/// the error `closed`, it returns only that.
class acceptor {
  public:
    using in_advance = detail::in_advance;
    explicit acceptor(listener from, in_advance how_many = in_advance::many);
    acceptor(acceptor&&) noexcept = default;
    acceptor& operator=(acceptor&&) noexcept = default;

    /// The next connection.
    [[nodiscard]] detail::next_awaiter<detail::accept_source> next(
        std::source_location where = std::source_location::current());

    using last_clients = detail::last_clients;
    /// Stops accepting. next() returns the connections that were already taken, or all, and then `closed`.
    void finish(last_clients who);

    using guard = detail::source_guard<detail::accept_source>;
    [[nodiscard]] detail::accept_source* guarded() const;

  private:
    std::unique_ptr<detail::accepting, detail::accepting_end> state_;
};

}  // namespace io
