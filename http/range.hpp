// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace http {

/// A part of a representation. REQUIRES: bytes > 0, because the protocol cannot express an empty range.
struct byte_range {
    std::uint64_t first = 0;
    std::uint64_t bytes = 0;

    [[nodiscard]] constexpr std::uint64_t last() const noexcept { return first + bytes - 1; }
    friend bool operator==(const byte_range&, const byte_range&) = default;
};

/// A request with more ranges than any client needs is an attempt to overload the server (RFC 9110 section 17.15).
inline constexpr std::size_t max_ranges = 16;          // in a response
inline constexpr std::size_t max_written_ranges = 64;  // in the field, before overlapping ranges are joined

class range_list {
  public:
    /// REQUIRES: size() < max_ranges.
    constexpr void add(const byte_range& range) noexcept
    {
        assert(size_ < max_ranges);
        ranges_[size_++] = range;
    }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr const byte_range& operator[](std::size_t i) const noexcept { return ranges_[i]; }
    [[nodiscard]] constexpr const byte_range* begin() const noexcept { return ranges_.data(); }
    [[nodiscard]] constexpr const byte_range* end() const noexcept { return ranges_.data() + size_; }
    /// The sum of the bytes of all ranges.
    [[nodiscard]] std::uint64_t bytes() const noexcept;

  private:
    std::array<byte_range, max_ranges> ranges_{};
    std::size_t size_ = 0;
};

enum class range_answer : std::uint8_t {
    whole,          // the field is ignored: 200
    parts,          // 206: one range with Content-Range, several as multipart/byteranges
    unsatisfiable,  // 416 with Content-Range: unsatisfied_range()
};

struct requested_ranges {
    range_answer answer = range_answer::whole;
    range_list ranges;  // for `parts`: at least one; within the size, disjoint and not adjacent
};

/// Parses a Range field (RFC 9110 section 14.2) for a representation of `size` bytes. Ranges that overlap or are
/// adjacent are joined, at the position of the first; otherwise the order of the client is kept (15.3.7.2). The field
/// is ignored if it has another unit than bytes, bad syntax or too many ranges, and always if the representation is
/// empty: -1 is satisfiable there (14.1.2) but cannot be expressed, and clients that add 0- to every request deserve no
/// error. Does not allocate.
[[nodiscard]] requested_ranges parse_range(std::string_view field, std::uint64_t size) noexcept;

/// A Content-Range value (RFC 9110 section 14.4).
class content_range_text {
  public:
    [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }
    constexpr void put(std::string_view text) noexcept
    {
        assert(text.size() <= text_.size() - size_);
        for (char c : text) text_[size_++] = c;
    }
    void put(std::uint64_t number) noexcept;

  private:
    std::array<char, 68> text_{};  // "bytes ", three numbers of 20 digits, "-" and "/"
    std::size_t size_ = 0;
};

/// `bytes 0-99/1234`, for 206.
[[nodiscard]] content_range_text content_range(const byte_range& range, std::uint64_t size) noexcept;

/// `bytes */1234`, for 416.
[[nodiscard]] content_range_text unsatisfied_range(std::uint64_t size) noexcept;

/// The parts of a multipart/byteranges body (RFC 9110 section 14.6) other than the content:
///
///     for each range: part_head(), then its bytes; at the end: closing_line()
///
/// The caller chooses a boundary that does not occur in the content. REQUIRES, for each function: the boundary has 1 to
/// 70 characters, all of them letters, digits, - or _ (these need no quotes; RFC 2046 section 5.1.1).
struct multipart_framing {
    std::string_view boundary;
    std::string_view content_type;  // of the representation; if empty, the parts have no Content-Type
    std::uint64_t size = 0;         // of the representation

    /// The Content-Type of the whole response, which then has no Content-Range (RFC 9110 section 15.3.7.2).
    [[nodiscard]] std::string response_type() const;

    [[nodiscard]] std::string part_head(const byte_range& range) const;
    [[nodiscard]] std::string closing_line() const;

    /// The length of the whole body, including the content: its Content-Length.
    [[nodiscard]] std::uint64_t body_bytes(std::span<const byte_range> ranges) const noexcept;
};

}  // namespace http
