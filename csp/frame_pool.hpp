// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace csp {

/// Memory for the frames of processes and steps and for channels: a free list a size class, one pool a thread.
/// A block may be freed on another thread than it came from; it then joins that thread's list.
struct frame_pool {
    /// Counted on this thread; a block that migrates is counted out where it is freed, so only sums over all threads
    /// mean something.
    struct figures {
        std::ptrdiff_t blocks = 0;
        std::ptrdiff_t bytes = 0;
    };

    [[nodiscard]] static void* allocate(std::size_t bytes);
    static void release(void* block, std::size_t bytes) noexcept;
    [[nodiscard]] static figures live() noexcept;
};

/// Inherit to be made in the pool.
struct pooled {
    static void* operator new(std::size_t bytes) { return frame_pool::allocate(bytes); }
    static void operator delete(void* block, std::size_t bytes) noexcept { frame_pool::release(block, bytes); }
};

}  // namespace csp
