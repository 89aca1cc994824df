// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include "csp/config.hpp"

namespace csp {

/// Memory for the frames of processes and steps and for channels: a free list a size class, one pool a thread.
/// A block may be freed on another thread than it came from; it then joins that thread's list.
struct frame_pool {
    /// Counted on this thread; a block that migrates is counted out where it is freed, so only sums over all threads
    /// mean something.
    struct figures {
        std::ptrdiff_t blocks;
        std::ptrdiff_t bytes;
    };

    // Both are in the header because the size of a frame is a constant where it is made: what is left of the
    // arithmetic is one address.
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
    static constexpr std::size_t largest = 2048;  // bytes; beyond this the general allocator serves as well

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

/// Inherit to be made in the pool.
struct pooled {
    static void* operator new(std::size_t bytes) { return frame_pool::allocate(bytes); }
    static void operator delete(void* block, std::size_t bytes) noexcept { frame_pool::release(block, bytes); }
};

}  // namespace csp
