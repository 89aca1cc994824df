// SPDX-License-Identifier: MIT
//
// A call on a file that would block. The ring or one of the engine's threads performs it.
#pragma once

#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <linux/openat2.h>
#include <mutex>
#include <source_location>
#include <thread>
#include <vector>

#include "csp/core.hpp"
#include "io/engine.hpp"
#include "io/held_back.hpp"

namespace io::detail {

enum class file_action : std::uint8_t {
    open,      // path, how
    read,      // memory, size, offset
    write,     // as read; an offset of -1 appends
    function,  // any other; always performed by a thread
};

/// Lives in the frame of the process that awaits it. The kernel or a thread uses it until it completes, so the process
/// cannot be destroyed before.
class [[nodiscard("await it")]] file_call : public held_back, csp::timer {
  public:
    file_call(file_action what, int descriptor, deadline until, std::source_location where)
        : timer(expired), action(what), fd(descriptor), until_(until), where_(where)
    {
    }
    file_call(const file_call&) = delete;
    file_call& operator=(const file_call&) = delete;
    ~file_call() { CSP_CHECK(who_ == nullptr, "a process was ended while the kernel still worked for it"); }

    file_action action;
    int fd;
    const char* path = nullptr;
    open_how how{};
    char* memory = nullptr;
    std::size_t size = 0;
    std::uint64_t offset = 0;
    std::int64_t (*function)(void*) = nullptr;
    void* argument = nullptr;
    bool is_of_log = false;  // performed by engine::pool_of_logs()

    /// Performs the call in this thread, and blocks as long as it takes. Returns the value, or a negative errno.
    [[nodiscard]] std::int64_t perform() const noexcept;
    /// Called on its core when the call is done. -ECANCELED: it was not started.
    void complete(std::int64_t value);

    static bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> self);
    [[nodiscard]] result<std::int64_t> await_resume() const;

    // For the threads.
    std::int64_t value = 0;
    file_call* next = nullptr;  // in one of their lists

  private:
    [[nodiscard]] std::int64_t call_function() const noexcept;
    static void expired(csp::timer& t) noexcept;

    deadline until_;
    std::source_location where_;
    csp::record* who_ = nullptr;
    bool timed_out_ = false;
};

/// A pool of threads for calls that would block a core. This is the only place where threads share data: a queue of
/// calls and a list of finished ones, under one mutex. The links are members of the calls, so neither list needs
/// memory.
class file_pool {
  public:
    explicit file_pool(engine& e) : engine_(e) { threads_.reserve(most_threads); }
    file_pool(const file_pool&) = delete;
    file_pool& operator=(const file_pool&) = delete;
    ~file_pool();

    /// Queues a call. If there is no thread and none can be started, the call completes with -EAGAIN.
    void submit(file_call& c);
    /// Removes a call from the queue. Returns false if a thread has already started it.
    [[nodiscard]] bool withdraw(file_call& c);
    /// Takes the list of finished calls, linked by `next`.
    [[nodiscard]] file_call* collect();

  private:
    static constexpr std::size_t most_threads = 4;
    void start_thread() noexcept;
    void work();
    void push(file_call& c);
    [[nodiscard]] file_call& pop();

    engine& engine_;
    std::mutex mutex_;
    std::condition_variable wanted_;
    file_call* first_ = nullptr;  // of the queue
    file_call* last_ = nullptr;
    std::size_t queued_ = 0;
    file_call* done_ = nullptr;
    std::size_t idle_ = 0;
    bool over_ = false;
    std::vector<std::jthread> threads_;
};

}  // namespace io::detail
