// SPDX-License-Identifier: MIT
//
// Sockets and pipes in an ALT, for a process that waits for several of them, or for one of them and a channel:
//
//   io::readable output(from_child);
//   auto chosen = co_await pri_alt(stop, output, timeout);
//   if (chosen == output) { auto got = co_await io::recv(from_child, room, no_deadline); ... }
//
// Between two ALTs any call may be made on the socket.
#pragma once

#include "io/event_source.hpp"
#include "io/socket.hpp"

namespace io {
namespace detail {

/// One side of an endpoint as an event source. `arm()` occupies the side, as a waiting call does; `disarm()` frees it.
class readiness : public event_source, watch {
  public:
    readiness(endpoint& e, side which);

    [[nodiscard]] bool ready();
    void arm() { start(endpoint_); }
    void disarm() noexcept
    {
        stop();
        is_known_ready_ = false;
    }

  private:
    /// Whether the engine will report the next change of a side that was found not ready.
    [[nodiscard]] bool is_reported() const;

    endpoint& endpoint_;
    side side_;
    bool is_known_ready_ = false;  // since the event that woke the process
};

template <side Which>
class ready_side {
  public:
    /// REQUIRES: the socket is not dropped while this object exists. It may be moved.
    explicit ready_side(socket& s) : state_(s.at(), Which) {}

    using guard = source_guard<readiness>;
    [[nodiscard]] readiness* guarded() { return &state_; }
    [[nodiscard]] const readiness* guarded() const { return &state_; }

  private:
    readiness state_;
};

}  // namespace detail

/// In an ALT, ready when a read would not wait: there are bytes, the end, or an error to report.
class readable : public detail::ready_side<detail::side::read> {
  public:
    using ready_side::ready_side;
};

/// In an ALT, ready when a write would not wait: there is room, or the reader has gone, which the write reports.
class writable : public detail::ready_side<detail::side::write> {
  public:
    using ready_side::ready_side;
};

/// Whether the peer has closed or reset its connection, or half-closed it: it will send nothing after what has already
/// arrived. Does not wait. TCP does not tell a peer that has only half-closed from one that has closed, until something
/// is sent to it.
[[nodiscard]] bool has_left(const socket& s);

}  // namespace io
