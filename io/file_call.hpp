// SPDX-License-Identifier: MIT
//
// A call on a file that would block: done by the ring, or by the engine's threads.
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
    function,  // any other: always by a thread
};

/// Lives in the frame of the process that awaits it. The kernel or a thread works on it until it completes, so it
/// cannot be given up before.
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
    bool is_of_log = false;  // may hang while nobody waits for it: see engine::pool_of_logs()

    /// By this thread, and however long it takes. Yields what the system call would in the kernel: a value, or an
    /// errno below zero.
    [[nodiscard]] std::int64_t perform() const noexcept;
    /// On its core, once it is done. -ECANCELED if it was not even begun.
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

/// A few threads that do what would block a core. The only place where threads share something: a queue in, a list
/// out, one mutex for both. A call is linked into both by itself, so neither ever needs memory.
class file_pool {
  public:
    explicit file_pool(engine& e) : engine_(e) { threads_.reserve(most_threads); }
    file_pool(const file_pool&) = delete;
    file_pool& operator=(const file_pool&) = delete;
    ~file_pool();

    /// If there is no thread and none can be made, the call completes with -EAGAIN.
    void submit(file_call& c);
    /// Takes it back if no thread has begun it. Yields whether it was.
    [[nodiscard]] bool withdraw(file_call& c);
    /// The calls that are done, linked by `next`.
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
