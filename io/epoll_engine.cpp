// SPDX-License-Identifier: MIT
//
// The engine for systems that refuse io_uring. Each socket is registered once, edge-triggered for both directions, when
// a process first waits for it. From then on its endpoint knows whether a call can succeed, so a request costs one
// recv, one send and a share of an epoll_wait.
#include <algorithm>
#include <array>
#include <cstring>
#include <sys/epoll.h>

#include <fmt/format.h>

#include "io/accepting.hpp"
#include "io/endpoint.hpp"
#include "io/engines.hpp"
#include "io/file_call.hpp"

namespace io::detail {
namespace {

constexpr std::size_t batch = 256;

// The data of an event: the endpoint's address in the lower 48 bits, its generation in the upper 16. Zero is the bell.
constexpr int generation_shift = 48;

std::uint64_t tag(const endpoint& e)
{
    return (std::uint64_t{e.generation} << generation_shift) | reinterpret_cast<std::uintptr_t>(&e);
}

class epoll_engine final : public engine {
  public:
    epoll_engine(csp::core& home, descriptor epoll, descriptor bell)
        : engine(home, std::move(bell)), epoll_(std::move(epoll))
    {
    }
    ~epoll_engine() override { stop_pool(); }

    [[nodiscard]] engine_choice kind() const override { return engine_choice::epoll; }

    void poll() override
    {
        // If no process is ready, the core is about to call wait(), which also collects.
        if (home_.has_ready()) collect(0);
    }
    void wait(csp::time_point until) override { collect(milliseconds_left(until)); }

    void want(endpoint& e, side s) override
    {
        if (!e.registered) enroll(e, s);
    }
    void discard(endpoint& e) noexcept override
    {
        // Closing a descriptor removes it from the epoll set, unless a child still has it; events that then still
        // arrive are recognized by their generation.
        if (e.released && e.registered) epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, e.fd, nullptr);
        ::close(e.fd);
        owned().free(e);
    }
    void begin_fetch(endpoint& e) override
    {
        if (e.maybe_readable && fetch_now(e)) {
            report_readable(e);
        } else if (!e.registered) {
            enroll(e, side::read);
        }
    }
    void end_fetch(endpoint& /*e*/) noexcept override {}
    [[nodiscard]] bool has_bytes_of(const endpoint& /*e*/) override { return false; }
    void begin_accept(accepting& a) override { a.accept_when_readable(); }
    void end_accept(accepting& a) noexcept override { a.stop_waiting_until_readable(); }
    void start(file_call& c) override { pool_for(c).submit(c); }
    void cancel(file_call& c) noexcept override
    {
        if (pool_for(c).withdraw(c)) c.complete(-ECANCELED);
    }

  private:
    void enroll(endpoint& e, side s)
    {
        // If it is ready already, adding it causes the first edge.
        epoll_event both{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = tag(e)}};
        e.registered = epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, e.fd, &both) == 0;
        // The limit of watches per user (fs.epoll.max_user_watches), or memory, is exhausted.
        if (!e.registered) cannot_watch(e, s, errno);
    }

    /// Rounded up; otherwise the core would wake several times before a timer is due.
    [[nodiscard]] static int milliseconds_left(csp::time_point until)
    {
        if (until == csp::time_point::max()) return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30));
    }

    void collect(int timeout)
    {
        const int came = epoll_wait(epoll_.number(), events_.data(), static_cast<int>(batch), timeout);
        for (int i = 0; i < came; ++i) dispatch(events_[static_cast<std::size_t>(i)]);
        collect_from_pool();
    }

    static void dispatch(const epoll_event& event)
    {
        if (event.data.u64 == 0) return;
        constexpr std::uint64_t address = (std::uint64_t{1} << generation_shift) - 1;
        endpoint& e = *reinterpret_cast<endpoint*>(event.data.u64 & address);
        const auto generation = static_cast<std::uint16_t>(event.data.u64 >> generation_shift);
        if (!estate::is_current(e, generation)) return;
        if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) e.peer_is_done = true;
        if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) e.tell(side::write);
        // The waiter that was notified may have closed it.
        if ((event.events & ~EPOLLOUT) == 0 || !estate::is_current(e, generation)) return;
        e.tell(side::read);
        report_readable(e);
    }

    descriptor epoll_;
    std::array<epoll_event, batch> events_;  // not in collect(), since the compiler clears local variables
};

}  // namespace

made_engine make_epoll_engine(csp::core& home)
{
    auto bell = make_bell();
    if (!bell) return std::unexpected(std::move(bell.error()));
    descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
    epoll_event bell_rings{.events = EPOLLIN | EPOLLET, .data = {.u64 = 0}};
    if (!epoll || epoll_ctl(epoll.number(), EPOLL_CTL_ADD, bell->number(), &bell_rings) != 0) {
        return std::unexpected(fmt::format("epoll refused: {}", error::of_errno().text));
    }
    return std::make_unique<epoll_engine>(home, std::move(epoll), std::move(*bell));
}

}  // namespace io::detail
