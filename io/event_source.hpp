// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstdint>
#include <source_location>
#include <utility>

#include "csp/alt.hpp"
#include "csp/core.hpp"

namespace io::detail {

/// A source of events that one process at a time awaits, alone or in an ALT.
class event_source {
  public:
    event_source() = default;
    event_source(const event_source&) = delete;
    event_source& operator=(const event_source&) = delete;

    void notify()
    {
        if (alternative_ != nullptr) {
            alternative_->fire();
        } else if (waiting_ != nullptr) {
            csp::make_ready(*std::exchange(waiting_, nullptr));
        }
    }
    void await(csp::record& r)
    {
        CSP_CHECK(waiting_ == nullptr && alternative_ == nullptr, "one process at a time awaits an event source");
        waiting_ = &r;
    }
    void enable(csp::alternative_operation& alt)
    {
        CSP_CHECK(waiting_ == nullptr && alternative_ == nullptr, "one process at a time awaits an event source");
        alternative_ = &alt;
    }
    [[nodiscard]] bool is_awaited() const { return waiting_ != nullptr || alternative_ != nullptr; }
    void forget_waiting() noexcept
    {
        waiting_ = nullptr;
        alternative_ = nullptr;
    }

  protected:
    ~event_source() = default;

  private:
    csp::record* waiting_ = nullptr;
    csp::alternative_operation* alternative_ = nullptr;
};

/// An event source in an ALT. `State` is an event_source with ready(), which checks for an event without waiting, and
/// arm(), which makes sure that notify() is called when there is one. If it has disarm(), that undoes arm() when the
/// ALT ends, so that other calls can wait on the same socket.
template <class State>
class source_guard {
  public:
    template <class Source>
    explicit source_guard(Source& source) : state_(*source.guarded())
    {
    }
    [[nodiscard]] bool ready() const { return state_.ready(); }
    [[nodiscard]] const void* guarded() const { return &state_; }
    void enable(csp::alternative_operation& alt)
    {
        state_.enable(alt);
        state_.arm();
    }
    void disable() noexcept
    {
        state_.forget_waiting();
        if constexpr (requires { state_.disarm(); }) state_.disarm();
    }

  private:
    State& state_;
};

/// The awaiter of `source.next()`. `State` also has take(), which returns the event.
template <class State>
class [[nodiscard("await it")]] next_awaiter {
  public:
    next_awaiter(State& state, const char* waits_for, std::source_location where)
        : state_(state), waits_for_(waits_for), where_(where)
    {
    }
    next_awaiter(const next_awaiter&) = delete;
    next_awaiter& operator=(const next_awaiter&) = delete;
    ~next_awaiter()
    {
        if (suspended_) state_.forget_waiting();
    }

    [[nodiscard]] bool await_ready() const { return state_.ready(); }
    void await_suspend(std::coroutine_handle<> self)
    {
        suspended_ = true;
        state_.await(csp::park(self, csp::wait::kernel, waits_for_, where_));
        state_.arm();
    }
    [[nodiscard]] auto await_resume() { return state_.take(); }

  private:
    State& state_;
    const char* waits_for_;
    std::source_location where_;
    bool suspended_ = false;
};

}  // namespace io::detail
