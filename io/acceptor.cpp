// SPDX-License-Identifier: MIT
#include "io/acceptor.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <poll.h>
#include <sys/socket.h>

#include "io/accepting.hpp"
#include "io/engine.hpp"

namespace io {
namespace detail {
namespace {

/// Whether the listener itself has failed and will never yield a connection again.
bool is_final(int number) { return number == EBADF || number == EINVAL || number == ENOTSOCK; }

/// Whether the error concerns one connection or the network (see accept(2)); the next accept may succeed.
bool is_of_the_connection(int number)
{
    return number == ECONNABORTED || number == EPERM || number == EPROTO || number == ENETDOWN ||
           number == ENOPROTOOPT || number == EHOSTDOWN || number == ENONET || number == EHOSTUNREACH ||
           number == EOPNOTSUPP || number == ENETUNREACH;
}

/// The pause after this number of failures in a row. If descriptors or memory have run out, the connection stays in the
/// accept queue, and retrying at once would only use processor time. A few errors of single connections need no pause;
/// if more follow, a firewall rule may forbid all connections.
std::chrono::milliseconds pause_after(unsigned failures, int number)
{
    constexpr unsigned excused = 8;
    constexpr unsigned most_doublings = 7;
    constexpr std::chrono::milliseconds shortest{10};
    constexpr std::chrono::milliseconds longest{1000};
    const unsigned free = is_of_the_connection(number) ? excused : 0;
    if (failures <= free) return std::chrono::milliseconds(0);
    return std::min(longest, shortest * (1 << std::min(failures - free - 1, most_doublings)));
}

bool somebody_waits(int listener)
{
    pollfd p{.fd = listener, .events = POLLIN, .revents = 0};
    return ::poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0;
}

}  // namespace

accepting::~accepting()
{
    for (const int fd : waiting_) ::close(fd);
    if (timer::pending()) csp::core::here().timers().cancel(*this);
    if (has_place_) csp::core::here().timers().release(1);
}

void accepting::open()
{
    if (!from_) return;
    if (!has_place_) csp::core::here().timers().reserve(1);
    has_place_ = true;
    listening_ = socket(std::move(from_));
}

bool accepting::ready()
{
    open();
    if (finishing_ && !in_flight) over_ = true;
    if (!waiting_.empty() || error_ != 0 || over_) return true;
    // There may be more connections than the last batch took. With io_uring the kernel accepts them without being asked
    // again.
    if (!in_flight && !timer::pending() && engine::here().kind() == engine_choice::epoll) accept_batch();
    return !waiting_.empty() || error_ != 0 || over_;
}

void accepting::arm()
{
    if (!timer::pending() && !finishing_) engine::here().begin_accept(*this);
}

void accepting::finish(last_clients who)
{
    finishing_ = true;
    shuts_down_ = who == last_clients::taken;
    last_tries_ = shuts_down_ ? most_last_tries : 1;
    if (!is_ending) engine::here().end_accept(*this);
}

result<socket> accepting::take()
{
    if (over_ && waiting_.empty() && last_tries_ > 0) {
        // The last check and the shutdown must follow each other directly. Closing our descriptor would not be enough,
        // because other processes may share the socket.
        listening().maybe_readable = true;
        accept_batch();
        last_tries_ = waiting_.empty() ? 0 : last_tries_ - 1;
        if (last_tries_ == 0 && shuts_down_) ::shutdown(listening().fd, SHUT_RDWR);
    }
    if (!waiting_.empty()) {
        const int fd = waiting_.front();
        waiting_.pop_front();
        try {
            return socket(descriptor(fd));
        } catch (const std::bad_alloc&) {
            return std::unexpected(error::of(ENOMEM));
        }
    }
    if (error_ != 0) return std::unexpected(error::of(std::exchange(error_, 0)));
    return std::unexpected(error::of(error::was_closed));
}

void accepting::keep(int fd) noexcept
{
    try {
        waiting_.push_back(fd);
    } catch (const std::bad_alloc&) {
        ::close(fd);
    }
}

void accepting::accept_batch()
{
    while (listening().maybe_readable && waiting_.size() < most_waiting() && error_ == 0) {
        const int fd = accept4(listening().fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            failures_ = 0;
            keep(fd);
        } else if (errno == EAGAIN) {
            listening().maybe_readable = false;
        } else if (errno != EINTR) {
            failed(errno);
            return;
        }
    }
}

void accepting::accepted(int fd)
{
    failures_ = 0;
    keep(fd);
    if (takes_many() && waiting_.size() >= most_waiting() && !is_ending) engine::here().end_accept(*this);
    notify();
}

void accepting::failed(int number)
{
    if (is_final(number)) {
        over_ = true;
        last_tries_ = 0;
    } else {
        error_ = number;
        const auto pause = pause_after(++failures_, number);
        if (pause.count() > 0 && !timer::pending()) {
            csp::core& here = csp::core::here();
            here.timers().set(*this, here.now() + pause);
        }
    }
    notify();
}

void accepting::ended_in_flight()
{
    in_flight = false;
    is_ending = false;
    if (is_orphan) {
        delete this;
    } else if (finishing_ && somebody_waits(listening().fd)) {
        // If several processes accept from a shared listener, the kernel wakes only one of them (EPOLLEXCLUSIVE). If it
        // woke us for a connection that the cancelled accept then did not take, no other process would be woken for it.
        // So we try once more.
        engine::here().begin_accept(*this);
        engine::here().end_accept(*this);
    } else if (finishing_) {
        if (ready()) notify();
    } else if (is_awaited() && !ready()) {
        arm();
    }
}

void accepting::may_accept(watch& w) noexcept
{
    auto& self = static_cast<accepting&>(w);
    self.accept_batch();
    if (self.ready()) {
        self.notify();
    } else if (self.is_awaited()) {
        self.arm();
    }
}

void accepting::pause_is_over(csp::timer& t) noexcept
{
    auto& self = static_cast<accepting&>(t);
    if (!self.is_awaited()) return;
    if (self.ready()) {
        self.notify();
    } else {
        self.arm();
    }
}

void accepting_end::operator()(accepting* a) const noexcept
{
    if (!a->in_flight) {
        delete a;
        return;
    }
    a->is_orphan = true;
    if (!a->is_ending) engine::here().end_accept(*a);
}

bool accept_source::ready() { return static_cast<accepting*>(this)->ready(); }
void accept_source::arm() { static_cast<accepting*>(this)->arm(); }
result<socket> accept_source::take() { return static_cast<accepting*>(this)->take(); }
void accept_source::finish(last_clients who) { static_cast<accepting*>(this)->finish(who); }

}  // namespace detail

acceptor::acceptor(listener from, in_advance how_many)
    : state_(new detail::accepting(std::move(from).release(), how_many))
{
}

detail::next_awaiter<detail::accept_source> acceptor::next(std::source_location where)
{
    return {*state_, "a connection", where};
}

void acceptor::finish(last_clients who) { state_->finish(who); }

detail::accept_source* acceptor::guarded() const { return state_.get(); }

}  // namespace io
