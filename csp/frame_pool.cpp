// SPDX-License-Identifier: MIT
#include "csp/frame_pool.hpp"

#include <array>
#include <new>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CSP_PLAIN_FRAMES 1
#endif
#endif

namespace csp {
namespace {

constexpr std::size_t grain = 32;          // bytes; the step between size classes
constexpr std::size_t largest = 2048;      // bytes; beyond this the general allocator serves as well
constexpr std::size_t slab = 1024 * 1024;  // bytes taken from the kernel at once; touched only as they are used

struct free_block {
    free_block* next;
};

struct thread_pool {
    std::array<free_block*, largest / grain> classes;
    char* fresh;  // the untouched rest of the newest slab
    char* fresh_end;
    frame_pool::figures live;
};

constinit thread_local thread_pool pool{};

// Slabs are never returned: the pool's high-water mark is the server's, and a block may outlive its thread.
[[maybe_unused, gnu::noinline]] void* carve(std::size_t bytes)
{
    if (static_cast<std::size_t>(pool.fresh_end - pool.fresh) < bytes) {
        void* memory = mmap(nullptr, slab, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        pool.fresh = static_cast<char*>(memory);
        pool.fresh_end = pool.fresh + slab;
    }
    char* block = pool.fresh;
    pool.fresh += bytes;
    return block;
}

}  // namespace

void* frame_pool::allocate(std::size_t bytes)
{
    ++pool.live.blocks;
    pool.live.bytes += static_cast<std::ptrdiff_t>(bytes);
#ifndef CSP_PLAIN_FRAMES
    if (bytes <= largest) [[likely]] {
        const std::size_t size_class = (bytes - 1) / grain;
        free_block*& head = pool.classes[size_class];
        if (head != nullptr) [[likely]] {
            free_block* block = head;
            head = block->next;
            return block;
        }
        return carve((size_class + 1) * grain);
    }
#endif
    return ::operator new(bytes);
}

void frame_pool::release(void* block, std::size_t bytes) noexcept
{
    --pool.live.blocks;
    pool.live.bytes -= static_cast<std::ptrdiff_t>(bytes);
#ifndef CSP_PLAIN_FRAMES
    if (bytes <= largest) [[likely]] {
        free_block*& head = pool.classes[(bytes - 1) / grain];
        auto* freed = static_cast<free_block*>(block);
        freed->next = head;
        head = freed;
        return;
    }
#endif
    ::operator delete(block);
}

frame_pool::figures frame_pool::live() noexcept { return pool.live; }

}  // namespace csp
