// SPDX-License-Identifier: MIT
//
// Farms: many workers on one shared channel. The farm itself never touches what they work on; it counts the idle and
// sees to it that some always wait (paper, section 2.1).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "csp/alt.hpp"
#include "csp/channel.hpp"
#include "csp/forking.hpp"

namespace server {

/// What a worker reports: that it has taken something up; that it is done with it, to which the farm answers with an
/// order; or that no more work can come, so that the farm is over too.
enum class idle : std::uint8_t { less, more, over };
enum class order : std::uint8_t { stay, leave };

/// A worker's link to its farm.
struct seat {
    csp::shared_out<idle> reports;
    csp::shared_in<order> orders;
};

static_assert(csp::mobile<idle> && csp::mobile<order> && csp::mobile<seat>);

/// How many workers wait, and how many did all the time lately: those were not needed.
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
    /// A worker is done. It may leave if that many have been idle for a whole period.
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
    std::size_t fewest_ = 0;   // waiting at once in this period
    std::size_t surplus_ = 0;  // may leave in this period
    csp::time_point period_end_;
};

/// The life of a farm: forks a worker for every `seat` that must be filled, until a worker says that it is over, and
/// then until all have left.
/// Promise: always takes reports. Deadlock: a pure server to its workers; it waits for nobody but them.
template <class ForkOne>
csp::step<void> keep_idle(std::size_t spare, ForkOne fork_one)
{
    csp::chan<idle> busy;
    csp::chan<order> answers;
    csp::in<idle> reports = busy.rx();
    csp::out<order> to_worker = answers.tx();
    std::optional<seat> empty_seat(seat{busy.shared_tx(), answers.shared_rx()});
    idle_count count(spare);

    for (;;) {
        for (; empty_seat && count.too_few(); count.forked()) fork_one(*empty_seat);
        const auto report = co_await reports.input();
        if (!report) co_return;
        if (*report == idle::less) {
            count.less();
        } else if (*report == idle::more) {
            co_await to_worker.output(count.more(csp::core::here().now()));
        } else {
            empty_seat.reset();  // nobody new; the channel of reports closes when the last worker has left
        }
    }
}

}  // namespace server
