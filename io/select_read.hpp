// SPDX-License-Identifier: MIT
//
// The n.select.read of the paper's section 4.1: one place where many idle sockets wait to become readable, without a
// worker and without a buffer each. A member costs its endpoint (some 200 bytes) and a place in the timer queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>

#include "io/buffer.hpp"
#include "io/event_source.hpp"
#include "io/socket.hpp"

namespace io {

/// What happened to a socket in the set. It has left the set by then.
struct select_event {
    enum class outcome : std::uint8_t {
        arrived,  // `bytes` are what came: at least one
        closed,   // by the peer: in order (why.number is 0), or by an error
        expired   // its deadline passed; nothing was lost
    };
    std::uint64_t token = 0;
    outcome what = outcome::arrived;
    buffer bytes;
    error why;
};

namespace detail {

struct gathering_end {
    void operator()(gathering* g) const noexcept;
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

    /// Has `s` wait until bytes arrive or `until` passes, and then reported under `token`. The socket stays its
    /// owner's, who may move or drop it (it then leaves the set) but not read from it while it is a member.
    void add(std::uint64_t token, socket& s, deadline until);
    /// Takes `s` out, if it is in; an event of its that was not yet fetched is withdrawn. Bytes that were already on
    /// their way are kept with the socket and come first in its next recv or event.
    void remove(socket& s) noexcept;
    [[nodiscard]] std::size_t size() const;
    /// Whether something has come for `s` that was not fetched yet; it need not be a member. Asks the kernel, and looks
    /// through what it has brought.
    [[nodiscard]] static bool has_news_of(const socket& s);

    /// The next event.
    [[nodiscard]] detail::next_awaiter<detail::select_source> next(
        std::source_location where = std::source_location::current());

    using guard = detail::source_guard<detail::select_source>;
    [[nodiscard]] detail::select_source* guarded() const;

  private:
    std::unique_ptr<detail::gathering, detail::gathering_end> state_;
};

}  // namespace io
