// SPDX-License-Identifier: MIT
//
// sleep() and yield. To limit the time of an input, use a timeout in an ALT.
#pragma once

#include <coroutine>
#include <source_location>

#include "csp/core.hpp"

namespace csp {

namespace detail {

/// The awaiter of sleep() and sleep_until().
class [[nodiscard("await it")]] sleep_awaiter {
  public:
    sleep_awaiter(time_point until, std::source_location where) : until_(until), where_(where) {}
    sleep_awaiter(const sleep_awaiter&) = delete;
    sleep_awaiter& operator=(const sleep_awaiter&) = delete;

    [[nodiscard]] bool await_ready() const { return until_ <= core::here().now(); }
    void await_suspend(std::coroutine_handle<> self)
    {
        alarm_.who = &park(self, wait::timer, nullptr, where_);
        core::here().timers().set(alarm_, until_);
    }
    void await_resume() const noexcept {}

  private:
    struct alarm : timer {
        alarm() : timer([](timer& t) noexcept { make_ready(*static_cast<alarm&>(t).who); }) {}
        record* who = nullptr;
    };
    alarm alarm_;
    time_point until_;
    std::source_location where_;
};

}  // namespace detail

/// Waits for at least `d`, by the monotonic clock.
inline detail::sleep_awaiter sleep(duration d, std::source_location where = std::source_location::current())
{
    return {core::here().now() + d, where};
}
inline detail::sleep_awaiter sleep_until(time_point t, std::source_location where = std::source_location::current())
{
    return {t, where};
}

/// Goes to the end of the run queue, so that all processes that are ready run first.
class [[nodiscard("await it")]] yield {
  public:
    explicit yield(std::source_location where = std::source_location::current()) : where_(where) {}
    static bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> self) const { make_ready(park(self, wait::nothing, nullptr, where_)); }
    void await_resume() const noexcept {}

  private:
    std::source_location where_;
};

}  // namespace csp
