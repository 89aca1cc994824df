// SPDX-License-Identifier: MIT
#include "io/readiness.hpp"

#include <poll.h>

namespace io {
namespace {

/// The events that there are now, with POLLHUP and POLLERR. If the kernel cannot tell, POLLERR.
int events_at(int fd, short wanted)
{
    pollfd one{.fd = fd, .events = wanted, .revents = 0};
    return ::poll(&one, 1, 0) < 0 ? POLLERR : one.revents;
}

}  // namespace

namespace detail {

readiness::readiness(endpoint& e, side which)
    : watch(
          [](watch& w) noexcept {
              auto& self = static_cast<readiness&>(w);
              // io_uring may report what a call has taken in the meantime.
              self.is_known_ready_ = self.ready();
              if (self.is_known_ready_) {
                  self.notify();
              } else if (self.is_awaited()) {
                  self.arm();
              }
          },
          which),
      endpoint_(e),
      side_(which)
{
}

bool readiness::is_reported() const
{
    return endpoint_.registered || endpoint_.poll_in_flight[static_cast<std::size_t>(side_)];
}

bool readiness::ready()
{
    endpoint& e = endpoint_;
    if (is_known_ready_) return true;
    if (side_ == side::read && (e.early || e.early_end)) return true;
    if (side_ == side::read && e.fetch_in_flight) return false;
    if (!e.maybe_ready(side_) && is_reported()) return false;
    // `maybe_ready` says only that no call has failed yet. A call that then waited would keep the process from its
    // other alternatives.
    e.maybe_ready(side_) = events_at(e.fd, side_ == side::read ? POLLIN : POLLOUT) != 0;
    return e.maybe_ready(side_);
}

}  // namespace detail

bool has_left(const socket& s) { return events_at(s.number(), POLLRDHUP) != 0; }

}  // namespace io
