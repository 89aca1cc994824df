// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "http/error.hpp"
#include "http/limits.hpp"

namespace http {

/// Decodes a chunked body (RFC 9112 section 7.1) that arrives in pieces of any size. It is strict: lines end in CRLF
/// only, sizes have 1 to 16 hexadecimal digits, there is no white space around sizes or in extensions, and extensions
/// and trailer fields must be well-formed and within their limits. Extensions and all trailer fields are discarded, as
/// RFC 9110 section 6.5.1 allows; so a field that is forbidden in a trailer section does no harm.
class chunked_decoder {
  public:
    struct piece {
        std::size_t consumed = 0;    // bytes of the input that were processed, including those of `data`
        std::span<const char> data;  // content, a part of the input; may be empty
        bool done = false;           // the body is complete; input after `consumed` is the next request
    };

    /// Processes the input up to the end of the first run of content in it. Call again with the unprocessed rest until
    /// `done` is true or no input is left; a call with input processes at least one byte. Errors: 400, 413, 431. An
    /// error is final: later calls return it again. REQUIRES: no earlier piece had `done` set.
    std::expected<piece, error> feed(std::span<const char> input, const limits& limits) noexcept;

    /// Bytes of content so far.
    [[nodiscard]] std::uint64_t content_bytes() const noexcept { return content_bytes_; }

  private:
    enum class state : std::uint8_t {
        size_first,
        size,
        extension_name_first,
        extension_name,
        extension_value_first,
        extension_value,
        extension_quoted,
        extension_quoted_pair,
        extension_quoted_end,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_first,
        trailer_name,
        trailer_value,
        trailer_lf,
        end_lf,
        done,
    };

    std::expected<void, error> framing(char c, const limits& limits) noexcept;
    std::expected<void, error> size_digit(char c) noexcept;
    std::expected<void, error> after_size(char c) noexcept;
    std::expected<void, error> extension(char c) noexcept;
    std::expected<void, error> trailer(char c) noexcept;

    std::uint64_t chunk_left_ =
        0;  // remaining bytes of the content of this chunk; while its size is read, the size so far
    std::uint64_t content_bytes_ = 0;
    std::size_t extension_bytes_ = 0;
    std::size_t trailer_bytes_ = 0;
    error error_{};
    state state_ = state::size_first;
    std::uint8_t size_digits_ = 0;
};

/// The line before the content of a chunk: its size in at most 16 hexadecimal digits, and a CRLF.
class chunk_prefix {
  public:
    /// REQUIRES: bytes > 0, because an empty chunk ends the body.
    explicit chunk_prefix(std::uint64_t bytes) noexcept;
    [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }

  private:
    std::array<char, 18> text_{};
    std::size_t size_ = 0;
};

inline constexpr std::string_view chunk_suffix = "\r\n";     // after the content of each chunk
inline constexpr std::string_view last_chunk = "0\r\n\r\n";  // the end of a body without trailers

}  // namespace http
