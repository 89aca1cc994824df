// SPDX-License-Identifier: MIT
//
// The two kinds of coroutine, and no third.
//
//   process   runs in parallel with its starter and owns everything it touches: it takes values only.
//   step<T>   a part of a process, awaited on the spot like a procedure, so it may borrow from its caller.
#pragma once

#include <coroutine>
#include <cstdio>
#include <exception>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "csp/config.hpp"
#include "csp/core.hpp"
#include "csp/frame_pool.hpp"
#include "csp/mobile.hpp"

namespace csp {

class process;

namespace detail {

struct process_core;

/// Ends a process: destroys its frame, which closes its channel ends, and then informs its family. Not inlined: so a
/// process that calls no other function need not save registers each time it is resumed.
[[gnu::noinline]] void end_process(process_core& ending) noexcept;

/// The final suspend point of a process.
struct process_end {
    static bool await_ready() noexcept { return false; }
    template <class Promise>
    static void await_suspend(std::coroutine_handle<Promise> self) noexcept
    {
        end_process(self.promise());
    }
    static void await_resume() noexcept {}
};

/// Tells an awaiter which process made it. A process knows its own record, so its awaiters need not ask the core.
template <class Awaitable>
void tell_maker(Awaitable& a, record& maker)
{
    if constexpr (requires { a.made_by(maker); }) a.made_by(maker);
}

struct process_core : record, pooled {
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static process_end final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    void unhandled_exception() noexcept;
    template <class Awaitable>
    Awaitable&& await_transform(Awaitable&& a) noexcept
    {
        tell_maker(a, *this);
        return std::forward<Awaitable>(a);
    }
};

record& released(process p) noexcept;

template <class... Parameters>
struct process_promise : process_core {
    process get_return_object(std::source_location made = std::source_location::current()) noexcept;
};

}  // namespace detail

/// A process that has been made but not started. par() or forking::start() starts it.
class [[nodiscard("a process does nothing until par() or start() runs it")]] process {
  public:
    process(process&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
    process& operator=(process&&) = delete;
    ~process()
    {
        if (record_ != nullptr) [[unlikely]]
            abandon();
    }

    /// Gives it a name for the post-mortem. REQUIRES: `name` lives as long as the program, as a literal does.
    process&& named(const char* name) &&
    {
        record_->name = name;
        return std::move(*this);
    }

  private:
    template <class...>
    friend struct detail::process_promise;
    friend record& detail::released(process p) noexcept;
    explicit process(record& r) : record_(&r) {}
    void abandon() noexcept;

    record* record_;
};

namespace detail {

/// Takes the frame out of a process, to start it.
inline record& released(process p) noexcept { return *std::exchange(p.record_, nullptr); }

}  // namespace detail

/// Reports the exception that is being handled to the fault listener, although the running process goes on. Call it in
/// a catch block.
void report_fault() noexcept;

/// Calls `work`, which must not wait. Returns false if it throws; the exception is then reported as a fault, and the
/// process goes on.
template <class Work>
bool attempt(Work work) noexcept
{
    try {
        work();
        return true;
    } catch (...) {
        report_fault();
        return false;
    }
}

template <class T>
class step;

namespace detail {

/// The final suspend point of a step: resumes its caller.
struct step_end {
    static bool await_ready() noexcept { return false; }
    template <class Promise>
    static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept
    {
#if CSP_TRANSFER_BY_QUEUE
        record& running = *core::here().running();
        running.resume_point = self.promise().caller;
        core::here().ready(running);
        return std::noop_coroutine();
#else
        return self.promise().caller;
#endif
    }
    static void await_resume() noexcept {}
};

struct step_core : pooled {
    std::coroutine_handle<> caller;
    std::exception_ptr thrown;

    static std::suspend_always initial_suspend() noexcept { return {}; }
    static step_end final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { thrown = std::current_exception(); }
    template <class Awaitable>
    static Awaitable&& await_transform(Awaitable&& a) noexcept
    {
        tell_maker(a, *core::here().running());
        return std::forward<Awaitable>(a);
    }
    void rethrow() const
    {
        if (thrown) [[unlikely]]
            std::rethrow_exception(thrown);
    }
};

template <class T>
struct step_promise : step_core {
    std::optional<T> result;
    step<T> get_return_object() noexcept;
    template <class U>
    void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>)
    {
        result.emplace(std::forward<U>(value));
    }
    T take()
    {
        rethrow();
        return std::move(*result);
    }
};

template <>
struct step_promise<void> : step_core {
    step<void> get_return_object() noexcept;
    static void return_void() noexcept {}
    void take() const { rethrow(); }
};

}  // namespace detail

/// A procedure that may wait. Await it where it is made: `co_await read_request(c)`. It cannot be stored, so what it
/// borrows from its caller outlives it.
template <class T = void>
class [[nodiscard("a step does nothing until it is awaited")]] [[clang::coro_return_type]] [[clang::coro_lifetimebound]]
step {
  public:
    using promise_type = detail::step_promise<T>;

    step(const step&) = delete;
    step& operator=(const step&) = delete;
    ~step() { frame_.destroy(); }

    auto operator co_await() &&
    {
        struct awaiter {
            std::coroutine_handle<promise_type> frame;
            static bool await_ready() noexcept { return false; }
            [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) const noexcept
            {
                frame.promise().caller = caller;
                return frame;
            }
            T await_resume() const { return frame.promise().take(); }
        };
        return awaiter{frame_};
    }

  private:
    friend promise_type;
    explicit step(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

// ---- definitions

namespace detail {

template <class T>
step<T> step_promise<T>::get_return_object() noexcept
{
    return step<T>(std::coroutine_handle<step_promise>::from_promise(*this));
}

inline step<void> step_promise<void>::get_return_object() noexcept
{
    return step<void>(std::coroutine_handle<step_promise>::from_promise(*this));
}

template <class... Parameters>
process process_promise<Parameters...>::get_return_object(std::source_location made) noexcept
{
    static_assert(sizeof(process_promise) == sizeof(process_core));
    static_assert((mobile<Parameters> && ...),
                  "A process owns what it is given: each of its parameters must be an object that moves without "
                  "failing and borrows nothing. Instead of a reference, pointer, view, span or closure, move the value "
                  "in, or pass a channel end and ask the process that owns it. (A part of a process that may borrow is "
                  "a step.)");
    resume_point = std::coroutine_handle<process_promise>::from_promise(*this);
    name = made.function_name();
    where = made;
    return process(*this);
}

inline std::coroutine_handle<> frame_of(record& r) noexcept
{
    // A process_promise adds nothing to its process_core, so the frame is found from either.
    return std::coroutine_handle<process_core>::from_promise(static_cast<process_core&>(r));
}

/// Destroys the frame of a process that waits.
inline void destroy_frame(record& r) noexcept { frame_of(r).destroy(); }

}  // namespace detail
}  // namespace csp

template <class... Parameters>
struct std::coroutine_traits<csp::process, Parameters...> {
    using promise_type = csp::detail::process_promise<Parameters...>;
};
