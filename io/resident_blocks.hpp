// SPDX-License-Identifier: MIT
//
// Remembers which blocks of files were recently seen in the page cache. Asking the kernel takes two calls for each part
// of a file, about a tenth of the cost of a response of 64 KiB. A block that was in memory and has just been sent stays
// there for a while; if it is evicted after all, one call waits for the disk.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "csp/core.hpp"

namespace io {

/// Identifies a file: the same for all its descriptors, and different for another file.
enum class file_key : std::uint64_t { none = 0 };

namespace detail {

class resident_blocks {
  public:
    static constexpr std::uint64_t block_bytes = std::uint64_t{64} * 1024;

    [[nodiscard]] bool has(file_key file, std::uint64_t block, csp::time_point now) const
    {
        const std::uint64_t name = name_of(file, block);
        const entry& e = entries_[place_of(name)];
        return e.name == name && now < e.until;
    }
    void add(file_key file, std::uint64_t block, csp::time_point now)
    {
        const std::uint64_t name = name_of(file, block);
        entries_[place_of(name)] = {name, now + lifetime};
    }

  private:
    static constexpr std::chrono::seconds lifetime{1};
    static constexpr int bits_of_place = 10;
    static constexpr std::uint64_t mixing = 0x9e37'79b9'7f4a'7c15;  // 2^64 divided by the golden ratio

    [[nodiscard]] static std::uint64_t name_of(file_key file, std::uint64_t block)
    {
        return static_cast<std::uint64_t>(file) ^ (block + 1) * mixing;
    }
    [[nodiscard]] static std::size_t place_of(std::uint64_t name) { return name * mixing >> (64 - bits_of_place); }

    struct entry {
        std::uint64_t name = 0;
        csp::time_point until;
    };
    std::array<entry, std::size_t{1} << bits_of_place> entries_{};
};

}  // namespace detail
}  // namespace io
