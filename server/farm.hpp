// SPDX-License-Identifier: MIT
//
// Farms: many workers on one shared channel. The farm itself never handles a request; it counts the idle workers and
// ensures that there are always some (paper, section 2.1).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "csp/alt.hpp"
#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/process.hpp"

namespace server {

/// What a worker reports: `less`, it has taken a request; `more`, it has finished, and waits for an order; `over`, no
/// more requests can come, so the farm ends too.
enum class idle : std::uint8_t { less, more, over };
enum class order : std::uint8_t { stay, leave };

/// A worker's link to its farm.
struct seat {
    csp::shared_out<idle> reports;
    csp::shared_in<order> orders;
};

static_assert(csp::mobile<idle> && csp::mobile<order> && csp::mobile<seat>);

/// What the workers of a farm do. A craft has the channel ends on which a worker passes on its requests, and whatever
/// it keeps between requests.
///
///   request      the type of the requests
///   work(r)      does the work; a step or an ordinary function
///   pass_on(r)   returns the output that passes the request on; leaves `r` empty
///   give_up(r)   the same after work() threw; must not throw
template <class Craft>
concept craft =
    csp::mobile<Craft> && csp::mobile<typename Craft::request> && requires(Craft& c, typename Craft::request& r) {
        c.work(r);
        c.pass_on(r);
        c.give_up(r);
    };

/// The life of a worker: it takes a request, reports, works, passes the result on, and asks whether to stay.
/// Promise: an exception in the work affects the current request only.
/// Deadlock: a client of its farm, and of the processes that its craft outputs to; a server to those that output
/// requests.
template <craft Craft>
csp::process worker(seat farm, csp::shared_in<typename Craft::request> requests, Craft skill)
{
    while (auto taken = co_await requests.input()) {
        co_await farm.reports.output(idle::less);

        auto request = std::move(*taken);
        bool done = false;
        try {
            if constexpr (std::is_void_v<decltype(skill.work(request))>) {
                skill.work(request);
            } else {
                co_await skill.work(request);
            }
            done = true;
        } catch (...) {
            csp::report_fault();
        }
        if (done) [[likely]] {
            if (!co_await skill.pass_on(request)) break;
        } else {
            co_await skill.give_up(request);
        }

        co_await farm.reports.output(idle::more);
        if (co_await farm.orders.input() == order::leave) co_return;
    }
    co_await farm.reports.output(idle::over);
}

/// Counts the idle workers, and those that were idle during a whole period and so are not needed.
class idle_count {
  public:
    explicit idle_count(std::size_t spare) : spare_(spare) {}

    [[nodiscard]] bool too_few() const { return waiting_ < spare_; }
    void forked() { ++waiting_; }
    void less()
    {
        --waiting_;
        fewest_ = std::min(fewest_, waiting_);
    }
    /// A worker has finished. It leaves if more than the spare workers were idle during a whole period.
    order more(csp::time_point now)
    {
        if (now >= period_end_) {
            surplus_ = period_end_ == csp::time_point() ? 0 : fewest_ - std::min(fewest_, spare_);
            fewest_ = waiting_;
            period_end_ = now + period;
        }
        if (surplus_ > 0) {
            --surplus_;
            return order::leave;
        }
        ++waiting_;
        return order::stay;
    }

  private:
    static constexpr std::chrono::seconds period{10};
    std::size_t spare_;
    std::size_t waiting_ = 0;
    std::size_t fewest_ = 0;   // least number idle at any time in this period
    std::size_t surplus_ = 0;  // number that may leave in this period
    csp::time_point period_end_;
};

/// The life of a farm: keeps `spare` workers idle by forking new ones, until a worker reports `over`; then waits until
/// all have left. If there is no memory for a worker, it tries again 50 ms later.
/// Promise: always accepts reports.
/// Deadlock: a pure server to its workers; it waits for no other process.
template <class ForkOne>
csp::step<void> keep_idle(std::size_t spare, ForkOne fork_one)
{
    csp::chan<idle> busy;
    csp::chan<order> answers;
    csp::in<idle> reports = busy.rx();
    csp::out<order> to_worker = answers.tx();
    std::optional<seat> empty_seat(seat{busy.shared_tx(), answers.shared_rx()});
    idle_count count(spare);

    constexpr std::chrono::milliseconds pause{50};
    for (;;) {
        bool lacks_memory = false;
        while (empty_seat && count.too_few() && !lacks_memory) {
            lacks_memory = !csp::attempt([&] { fork_one(*empty_seat); });
            if (!lacks_memory) count.forked();
        }
        if (lacks_memory) [[unlikely]] {
            const csp::timeout again = csp::after(pause);
            if (co_await csp::pri_alt(reports, again) == again) continue;
        }
        const auto report = co_await reports.input();
        if (!report) co_return;
        if (*report == idle::less) {
            count.less();
        } else if (*report == idle::more) {
            co_await to_worker.output(count.more(csp::core::here().now()));
        } else {
            empty_seat.reset();  // fork no more; the channel of reports closes when the last worker has left
        }
    }
}

}  // namespace server
