// SPDX-License-Identifier: MIT
//
// Calls of functions that may block on a file system for any length of time.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <future>
#include <optional>
#include <source_location>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include "csp/process.hpp"
#include "io/error.hpp"
#include "io/file_call.hpp"

namespace io {

/// Calls `f` in one of the threads for logs and waits for its result. An error if there is no thread or no memory.
template <class Function>
[[nodiscard]] csp::step<result<std::invoke_result_t<Function>>> by_log_thread(Function f)
{
    struct work {
        Function f;
        std::optional<std::invoke_result_t<Function>> result;
    } todo{std::move(f), std::nullopt};
    detail::file_call call(detail::file_action::function, -1, no_deadline, std::source_location::current());
    call.function = [](void* w) -> std::int64_t {
        auto& mine = *static_cast<work*>(w);
        mine.result.emplace(mine.f());
        return 0;
    };
    call.argument = &todo;
    call.is_of_log = true;
    if (const auto done = co_await call; !done) co_return std::unexpected(done.error());
    co_return std::move(*todo.result);
}

/// Calls `f` in a new thread and waits for its result, at most for `patience`; nullopt if it has not returned by then.
/// The thread then continues alone, so `f`, which is copied, must own everything that it uses. If no thread can be
/// started, `f` is called directly. For the start of a program.
template <class Function>
[[nodiscard]] std::optional<std::invoke_result_t<Function>> within(std::chrono::milliseconds patience,
                                                                   const Function& f)
{
    std::packaged_task<std::invoke_result_t<Function>()> task(f);
    auto outcome = task.get_future();
    std::thread thread;
    try {
        thread = std::thread(std::move(task));
    } catch (const std::system_error&) {
        return f();
    }
    if (outcome.wait_for(patience) != std::future_status::ready) {
        thread.detach();
        return std::nullopt;
    }
    thread.join();
    return outcome.get();
}

}  // namespace io
