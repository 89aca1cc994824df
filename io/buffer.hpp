// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace io {

namespace detail {
class estate;
}

/// A buffer of the engine with bytes that have arrived. It can move within its core, and returns to the engine when
/// dropped.
class buffer {
  public:
    static constexpr std::size_t capacity = 8192;

    buffer() = default;
    buffer(buffer&& other) noexcept
        : home_(std::exchange(other.home_, nullptr)),
          memory_(other.memory_),
          begin_(std::exchange(other.begin_, 0)),
          end_(std::exchange(other.end_, 0))
    {
    }
    buffer& operator=(buffer&& other) noexcept
    {
        std::swap(home_, other.home_);
        std::swap(memory_, other.memory_);
        std::swap(begin_, other.begin_);
        std::swap(end_, other.end_);
        return *this;
    }
    ~buffer()
    {
        if (home_ != nullptr) give_back();
    }

    /// An empty buffer of this core's engine.
    [[nodiscard]] static buffer make();

    /// Whether it has memory; a default-constructed or moved-from buffer has none.
    [[nodiscard]] explicit operator bool() const { return home_ != nullptr; }

    [[nodiscard]] std::size_t size() const { return end_ - begin_; }
    [[nodiscard]] bool empty() const { return begin_ == end_; }
    [[nodiscard]] std::span<char> bytes() { return {memory_ + begin_, size()}; }
    [[nodiscard]] std::string_view text() const { return {memory_ + begin_, size()}; }
    /// Removes the first `n` bytes. REQUIRES: n <= size().
    void consume(std::size_t n) { begin_ += static_cast<std::uint32_t>(n); }
    /// Removes all but the first `n` bytes. REQUIRES: n <= size().
    void truncate(std::size_t n) { end_ = begin_ + static_cast<std::uint32_t>(n); }

    /// The free memory after the bytes. Call append(n) after `n` bytes were received into it. compact() makes it as
    /// large as possible.
    [[nodiscard]] std::span<char> space() { return {memory_ + end_, home_ != nullptr ? capacity - end_ : 0}; }
    void append(std::size_t n) { end_ += static_cast<std::uint32_t>(n); }
    void compact();

    /// For the engines: `memory` holds `size` bytes.
    buffer(detail::estate& home, char* memory, std::size_t size) noexcept
        : home_(&home), memory_(memory), end_(static_cast<std::uint32_t>(size))
    {
    }

  private:
    void give_back() noexcept;

    detail::estate* home_ = nullptr;
    char* memory_ = nullptr;
    std::uint32_t begin_ = 0;
    std::uint32_t end_ = 0;
};

}  // namespace io
