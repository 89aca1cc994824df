// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include "csp/config.hpp"

namespace csp {

/// Memory for channels and for the frames of processes and steps: one pool for each thread, with a free list for each
/// size class. A block may be freed on another thread; it then belongs to the pool of that thread.
struct frame_pool {
    /// The memory that this thread has allocated, minus the memory that it has freed. One thread may free blocks of
    /// another, so only the sum over all threads is meaningful.
    struct figures {
        std::ptrdiff_t blocks;
        std::ptrdiff_t bytes;
    };

    // Both are inline, because the size of a frame is a constant where it is made, and the size class is then computed
    // at compile time.
    [[nodiscard]] static void* allocate(std::size_t bytes)
    {
        ++mine_.live.blocks;
        mine_.live.bytes += static_cast<std::ptrdiff_t>(bytes);
#if !CSP_PLAIN_FRAMES
        if (bytes <= largest) [[likely]] {
            free_block*& head = mine_.classes[size_class(bytes)];
            free_block* const block = head;
            if (block == nullptr) [[unlikely]]
                return carve((size_class(bytes) + 1) * grain);
            head = block->next;
            return block;
        }
#endif
        return ::operator new(bytes);
    }
    static void release(void* block, std::size_t bytes) noexcept
    {
        --mine_.live.blocks;
        mine_.live.bytes -= static_cast<std::ptrdiff_t>(bytes);
#if !CSP_PLAIN_FRAMES
        if (bytes <= largest) [[likely]] {
            free_block*& head = mine_.classes[size_class(bytes)];
            auto* const freed = static_cast<free_block*>(block);
            freed->next = head;
            head = freed;
            return;
        }
#endif
        ::operator delete(block);
    }
    [[nodiscard]] static figures live() noexcept { return mine_.live; }

  private:
    static constexpr std::size_t grain = 16;      // bytes; the step between size classes
    static constexpr std::size_t largest = 2048;  // bytes; larger blocks come from operator new

    struct free_block {
        free_block* next;
    };
    struct thread_pool {
        std::array<free_block*, largest / grain> classes;
        char* fresh;  // the untouched rest of the newest slab
        char* fresh_end;
        figures live;
    };

    static constexpr std::size_t size_class(std::size_t bytes) { return (bytes - 1) / grain; }
    static void* carve(std::size_t bytes);

    constinit static inline thread_local thread_pool mine_{};
};

/// A class that inherits from this is allocated in the pool.
struct pooled {
    static void* operator new(std::size_t bytes) { return frame_pool::allocate(bytes); }
    static void operator delete(void* block, std::size_t bytes) noexcept { frame_pool::release(block, bytes); }
};

}  // namespace csp
