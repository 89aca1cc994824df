// SPDX-License-Identifier: MIT
#include "csp/frame_pool.hpp"

#include <new>
#include <sys/mman.h>

#if !CSP_PLAIN_FRAMES
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#error "csp/CMakeLists.txt has not recognized that a sanitizer is used"
#endif
#endif

namespace csp {

// Slabs are never returned to the system: the memory will be needed again, and a block may outlive its thread.
void* frame_pool::carve(std::size_t bytes)
{
    constexpr std::size_t slab = 1024 * 1024;  // bytes per request to the kernel; pages are touched only when used
    if (static_cast<std::size_t>(mine_.fresh_end - mine_.fresh) < bytes) {
        void* memory = mmap(nullptr, slab, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        mine_.fresh = static_cast<char*>(memory);
        mine_.fresh_end = mine_.fresh + slab;
    }
    char* const block = mine_.fresh;
    mine_.fresh += bytes;
    return block;
}

}  // namespace csp
