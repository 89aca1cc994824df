// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <memory>
#include <source_location>
#include <utility>

#include "io/event_source.hpp"
#include "io/socket.hpp"

namespace io {

/// Blocks these signals in the calling thread and in those that it starts later. Call it at the start of main(), so
/// that only a signal_set receives them.
void block_signals(std::initializer_list<int> signals);

namespace detail {

class signal_source : public event_source, watch {
  public:
    explicit signal_source(descriptor signals);
    [[nodiscard]] bool ready();
    void arm() { start(from_.at()); }
    [[nodiscard]] int take();

  private:
    descriptor signals_;  // the signalfd, before the first wait
    socket from_;         // the signalfd, after it
    int pending_ = 0;
};

}  // namespace detail

/// The signals to this program as an event source, for use in an ALT.
class signal_set {
  public:
    /// May be opened before the cores run. It belongs to the core that waits on it first.
    [[nodiscard]] static result<signal_set> open(std::initializer_list<int> which);
    signal_set() = default;
    signal_set(signal_set&&) noexcept = default;
    signal_set& operator=(signal_set&&) noexcept = default;

    /// The number of the next signal.
    [[nodiscard]] detail::next_awaiter<detail::signal_source> next(
        std::source_location where = std::source_location::current())
    {
        return {*state_, "a signal", where};
    }

    using guard = detail::source_guard<detail::signal_source>;
    [[nodiscard]] detail::signal_source* guarded() const { return state_.get(); }

  private:
    explicit signal_set(descriptor signals) : state_(std::make_unique<detail::signal_source>(std::move(signals))) {}

    std::unique_ptr<detail::signal_source> state_;
};

}  // namespace io
