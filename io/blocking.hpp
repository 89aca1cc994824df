// SPDX-License-Identifier: MIT
//
// Calls of functions that may block on a file system for any length of time.
#pragma once

#include <chrono>
#include <future>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

namespace io {

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
