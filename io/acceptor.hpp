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

/// What becomes of those whom the kernel holds at the end of an acceptor: `left` to whoever shares the listening
/// socket, but for a batch of those who are there already, since perhaps nobody shares it; or `taken`, as long as it is
/// no flood; then the socket listens no more, whoever shares it.
enum class last_clients : std::uint8_t { left, taken };

/// How many connections the kernel may accept before the process asks for them. One: where descriptors are scarce,
/// since each of them has one. Many, with io_uring: up to as many as the backlog holds, when they come at once.
enum class in_advance : std::uint8_t { one, many };

/// The faces of `accepting` that ALT and next() need.
class accept_source : public event_source {
  public:
    [[nodiscard]] bool ready();
    void arm();
    [[nodiscard]] result<socket> take();
    void finish(last_clients who);
};

}  // namespace detail

/// Takes connections from a listener. Works on the core where it is first waited on; may be moved there before.
/// Yields an error for a connection that cannot be accepted. When descriptors or memory have run out, or one error
/// follows another, it then pauses, for 10 ms up to a second; so a process may just log the error and go on. Once it
/// has yielded the error `closed`, it yields only that.
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
    /// Comes to an end: next() yields the connections that were taken already, or all, and then `closed`.
    void finish(last_clients who);

    using guard = detail::source_guard<detail::accept_source>;
    [[nodiscard]] detail::accept_source* guarded() const;

  private:
    std::unique_ptr<detail::accepting, detail::accepting_end> state_;
};

}  // namespace io
