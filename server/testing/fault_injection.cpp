// SPDX-License-Identifier: MIT
#include "server/testing/fault_injection.hpp"

#include <atomic>
#include <charconv>
#include <cstdarg>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <new>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>

#include "csp/core.hpp"
#include "csp/post_mortem.hpp"

namespace server::test {
namespace {

constinit std::string_view process;
constinit std::atomic<unsigned> left = 0;  // allocations until the one that fails; 0: none will
const char* when = nullptr;                // only from when this file exists

std::string_view running_process()
{
    const csp::core* const here = csp::core::here_or_null();
    if (here == nullptr || here->running() == nullptr) return {};
    return csp::plain_name(here->running()->name);
}

void maybe_fail()
{
    // Relaxed: only the thread that runs the chosen process acts on it.
    if (left.load(std::memory_order_relaxed) == 0 || running_process() != process) return;
    if (when != nullptr && ::access(when, F_OK) != 0) return;
    if (left.fetch_sub(1, std::memory_order_relaxed) == 1) throw std::bad_alloc();
}

const char* hanging = nullptr;  // a directory; null: none

/// Waits as long as the directory is a file system that does not answer, which is until it is gone.
void maybe_hang(const char* path)
{
    constexpr timespec pause{.tv_sec = 0, .tv_nsec = 10'000'000};
    if (hanging == nullptr || !std::string_view(path).starts_with(hanging)) return;
    while (::access(hanging, F_OK) == 0) ::nanosleep(&pause, nullptr);
}

// Runs before main, so that the program itself need not know of it.
[[gnu::constructor]] void plan_from_outside()
{
    hanging = std::getenv("OCCWSERV_HANGING_DIRECTORY");
    const char* const text = std::getenv("OCCWSERV_FAULT");
    if (text == nullptr) return;
    const std::string_view all = text;
    const auto colon = all.find(':');
    unsigned nth = 1;
    if (colon != std::string_view::npos) std::from_chars(text + colon + 1, text + all.size(), nth);
    when = std::getenv("OCCWSERV_FAULT_WHEN");
    inject(all.substr(0, colon), nth);
}

}  // namespace

void inject(std::string_view name, unsigned nth)
{
    process = name;
    left.store(nth, std::memory_order_relaxed);
}

bool was_injected() { return left.exchange(0, std::memory_order_relaxed) == 0; }

}  // namespace server::test

// In place of the C library's: whatever opens a file by its path waits for the file system.
extern "C" int open(const char* path, int how, ...)  // NOLINT(cert-dcl50-cpp): as the C library declares it
{
    server::test::maybe_hang(path);
    va_list rest;
    va_start(rest, how);
    const auto mode = (how & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : mode_t{};
    va_end(rest);
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, how, mode));
}

// NOLINTBEGIN(misc-definitions-in-headers, cppcoreguidelines-no-malloc): these are the program's own
void* operator new(std::size_t bytes)
{
    server::test::maybe_fail();
    if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
// NOLINTEND(misc-definitions-in-headers, cppcoreguidelines-no-malloc)
