// SPDX-License-Identifier: MIT
#include "io/select_read.hpp"

#include <cerrno>
#include <new>

#include "csp/check.hpp"

namespace io {

// How a select set works.
//
// The members are endpoints, linked into one of two lists: `waiting_` for those without an event, and `reported_`, the
// queue of events. add() puts an endpoint into the first list and asks the engine to begin a fetch, that is to watch
// for input. With io_uring a fetch is a receive into a buffer that the kernel chooses only when bytes arrive, so an
// idle connection occupies no buffer; with epoll it is a registration. When the engine knows of input, an end or an
// error, it calls report_readable(), which moves the endpoint to the queue of events.
//
// io_uring delivers the bytes with the event, in `early`. epoll only reports that there may be input, and the bytes are
// read when the process takes the event: at that moment the process needs them, and one buffer, warm in the processor's
// cache, serves one connection after the other. If there turns out to be no input, the endpoint goes back to
// `waiting_`. Only when a process is already waiting for an event are the bytes read at once, because a process that is
// woken must find an event.
//
// The deadline of a member is a timer in its endpoint. Most members have input long before their deadline, so the timer
// is not cancelled then: it stays set, and when it goes off it compares the time with the present deadline. Setting a
// timer is needed only if none is set or the deadline has become earlier.

namespace detail {

class select_set : public select_source {
  public:
    select_set() = default;
    select_set(const select_set&) = delete;
    select_set& operator=(const select_set&) = delete;
    ~select_set()
    {
        while (!waiting_.alone()) leave(static_cast<endpoint&>(*waiting_.next));
        while (!reported_.alone()) leave(static_cast<endpoint&>(*reported_.next));
    }

    void add(std::uint64_t token, endpoint& e, deadline until)
    {
        CSP_CHECK(e.member == membership::none, "a socket is in one select set at a time");
        CSP_CHECK(e.waiters[static_cast<std::size_t>(side::read)] == nullptr, "a socket has one reader at a time");
        ++size_;
        e.set = this;
        e.token = token;
        e.until = until;
        e.expired = false;
        wait_on(e);
        if (e.early || e.early_end) {
            report(e);
        } else {
            e.home.owner()->begin_fetch(e);
        }
    }

    void report(endpoint& e)
    {
        // A process that is woken must find an event, so if one waits, the bytes are read now.
        if (is_awaited() && reported_.alone() && !is_known(e) && !fetch_now(e)) {
            e.home.owner()->begin_fetch(e);
            return;
        }
        e.home.owner()->expect_no_more();
        e.member = membership::reported;
        e.unlink();
        e.append_to(reported_);
        notify();
    }

    /// Whether there is an event that take() can return. If the front of the queue is only known to be readable, its
    /// bytes are read now; see the top of this file.
    [[nodiscard]] bool ready()
    {
        while (!reported_.alone()) {
            auto& e = static_cast<endpoint&>(*reported_.next);
            if (is_known(e) || fetch_now(e)) return true;
            wait_on(e);  // there was no input
            e.home.owner()->begin_fetch(e);
        }
        return false;
    }

    void leave(endpoint& e) noexcept
    {
        engine* const outside = e.home.owner();
        if (e.member == membership::waiting && outside != nullptr) {
            outside->expect_no_more();
            outside->end_fetch(e);
        }
        e.unlink();
        e.member = membership::none;
        e.set = nullptr;
        e.expired = false;
        --size_;
    }

    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    [[nodiscard]] static bool is_known(const endpoint& e) { return e.early || e.early_end || e.expired; }

    void wait_on(endpoint& e)
    {
        e.member = membership::waiting;
        e.unlink();
        e.append_to(waiting_);
        e.home.owner()->expect();
        set_alarm(e);
    }

    static void set_alarm(endpoint& e)
    {
        // A timer that is still set from before and goes off before `until` is good enough; see the top of this file.
        endpoint::alarm& a = e.time_is_up;
        if (e.until == no_deadline || (a.pending() && a.at <= e.until)) return;
        auto& timers = csp::core::here().timers();
        if (a.pending()) timers.cancel(a);
        a.at = e.until;
        timers.set(a, a.at);
    }

    member_link waiting_;
    std::size_t size_ = 0;
};

void endpoint::alarm::gone_off(csp::timer& t) noexcept
{
    auto& self = static_cast<alarm&>(t);
    endpoint& e = self.of;
    if (e.member != membership::waiting || e.until == no_deadline) return;
    if (e.until > csp::core::here().now()) {
        self.at = e.until;
        csp::core::here().timers().set(self, self.at);
        return;
    }
    e.expired = true;
    e.home.owner()->end_fetch(e);
    if (!e.fetch_in_flight) e.set->report(e);  // otherwise the end of the fetch reports it, or bytes that still came
}

void report_readable(endpoint& e)
{
    if (e.member == membership::waiting) e.set->report(e);
}

void leave_set(endpoint& e) noexcept { e.set->leave(e); }

namespace {

/// Returns an empty buffer if there is no memory.
buffer try_to_make_buffer(estate& of) noexcept
{
    try {
        return of.new_buffer();
    } catch (const std::bad_alloc&) {
        return {};
    }
}

}  // namespace

bool fetch_now(endpoint& e) noexcept
{
    buffer b = try_to_make_buffer(e.home);
    if (!b) {
        e.early_end = true;
        e.early_error = ENOMEM;
        return true;
    }
    ssize_t got = 0;
    do {
        got = e.is_pipe ? ::read(e.fd, b.space().data(), b.space().size())
                        : ::recv(e.fd, b.space().data(), b.space().size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) {
        e.maybe_readable = false;
        return false;
    }
    if (got > 0) {
        b.append(static_cast<std::size_t>(got));
        if (!b.space().empty() && !e.peer_is_done) e.maybe_readable = false;  // drained; see recv_call::attempt()
        e.early = std::move(b);
    } else {
        e.early_end = true;
        e.early_error = got < 0 ? errno : 0;
    }
    return true;
}

void select_set_deleter::operator()(select_set* g) const noexcept { delete g; }

bool select_source::ready() { return static_cast<select_set&>(*this).ready(); }

select_event select_source::take()
{
    auto& e = static_cast<endpoint&>(*reported_.next);
    select_event event;
    event.token = e.token;
    if (e.early) {
        event.bytes = std::move(e.early);
    } else if (e.early_end) {
        event.what = select_event::outcome::closed;
        event.why = error::of(e.early_error);
    } else {
        event.what = select_event::outcome::expired;
    }
    static_cast<select_set&>(*this).leave(e);
    return event;
}

}  // namespace detail

select_read::select_read() : state_(new detail::select_set) {}

void select_read::add(std::uint64_t token, socket& s, deadline until) { state_->add(token, s.at(), until); }

void select_read::remove(socket& s) noexcept
{
    if (s.at().set == state_.get()) state_->leave(s.at());
}

bool select_read::has_input(const socket& s)
{
    const detail::endpoint& e = s.at();
    if (e.member == detail::membership::reported || e.early) return true;
    // Asks the kernel first: with any system call the ring may take what has arrived.
    char byte = 0;
    return ::recv(e.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 || e.home.owner()->has_bytes_of(e);
}

std::size_t select_read::size() const { return state_->size(); }

detail::next_awaiter<detail::select_source> select_read::next(std::source_location where)
{
    return {*state_, "an event of a select set", where};
}

detail::select_source* select_read::guarded() const { return state_.get(); }

}  // namespace io
