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

// Takes a chunked body apart (RFC 9112 section 7.1), in whatever pieces it arrives. Strict: CRLF and nothing else,
// sizes of 1 to 16 hexadecimal digits, no white space around them or in extensions, extensions and trailers within
// their syntax and limits. Extensions are skipped; so are all trailer fields (RFC 9110 section 6.5.1 lets a recipient
// discard them), hence the forbidden ones can do no harm.
class chunked_decoder {
  public:
    struct piece {
        std::size_t consumed = 0;    // bytes of the input that are dealt with, counting those of `data`
        std::span<const char> data;  // content, a part of the input; may be empty
        bool done = false;           // the body is complete; input after `consumed` is the next request
    };

    // Takes input up to the end of the first run of content in it. Call again with what was not consumed until `done`
    // or no input is left; a call with input consumes at least a byte. Errors: 400, 413, 431; after one the decoder
    // stays at it. REQUIRES: not done.
    std::expected<piece, error> feed(std::span<const char> input, const limits& limits) noexcept;

    // Content so far, bytes.
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

    std::uint64_t chunk_left_ = 0;  // bytes of this chunk's content to come
    std::uint64_t content_bytes_ = 0;
    std::size_t extension_bytes_ = 0;
    std::size_t trailer_bytes_ = 0;
    error error_{};
    state state_ = state::size_first;
    std::uint8_t size_digits_ = 0;
};

// What stands before the content of a chunk: at most 16 digits and a CRLF.
class chunk_prefix {
  public:
    // REQUIRES: bytes > 0, since a chunk of none ends the body.
    explicit chunk_prefix(std::uint64_t bytes) noexcept;
    [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), size_}; }

  private:
    std::array<char, 18> text_{};
    std::size_t size_ = 0;
};

inline constexpr std::string_view chunk_suffix = "\r\n";     // after the content of each chunk
inline constexpr std::string_view last_chunk = "0\r\n\r\n";  // the end of a body without trailers

}  // namespace http
