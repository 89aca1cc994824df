// SPDX-License-Identifier: MIT
//
// A set of idle sockets that wait to become readable, without a worker or a buffer for each: the n.select.read of the
// paper's section 4.1. A member costs its endpoint (about 200 bytes) and a place in the timer queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>

#include "io/buffer.hpp"
#include "io/event_source.hpp"
#include "io/socket.hpp"

namespace io {

/// An event of a socket in the set. The socket leaves the set with it.
struct select_event {
    enum class outcome : std::uint8_t {
        arrived,  // `bytes` contains at least one byte
        closed,   // by the peer (why.number is 0) or by an error
        expired   // the deadline passed; no bytes were lost
    };
    std::uint64_t token = 0;
    outcome what = outcome::arrived;
    buffer bytes;
    error why;
};

namespace detail {

struct select_set_deleter {
    void operator()(select_set* g) const noexcept;
};

class select_source : public event_source {
  public:
    [[nodiscard]] bool ready();
    static void arm() {}
    [[nodiscard]] select_event take();

  protected:
    member_link reported_;
};

}  // namespace detail

class select_read {
  public:
    select_read();
    select_read(select_read&&) noexcept = default;
    select_read& operator=(select_read&&) noexcept = default;

    /// Adds `s` until bytes arrive or `until` passes; `token` identifies it in the event. The owner of the socket may
    /// move it, or drop it, which removes it from the set, but may not read from it while it is a member.
    void add(std::uint64_t token, socket& s, deadline until);
    /// Removes `s`, if it is a member, and an event of it that was not taken yet. Bytes that have already been read are
    /// kept with the socket and come first in its next recv or event.
    void remove(socket& s) noexcept;
    [[nodiscard]] std::size_t size() const;
    /// Whether `s`, a member, has input that was not taken yet. Asks the kernel, and searches the completions that it
    /// has already delivered.
    [[nodiscard]] static bool has_input(const socket& s);

    /// The next event.
    [[nodiscard]] detail::next_awaiter<detail::select_source> next(
        std::source_location where = std::source_location::current());

    using guard = detail::source_guard<detail::select_source>;
    [[nodiscard]] detail::select_source* guarded() const;

  private:
    std::unique_ptr<detail::select_set, detail::select_set_deleter> state_;
};

}  // namespace io
