// SPDX-License-Identifier: MIT
#include "http/chunked.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "http/characters.hpp"

namespace http {

// How the decoder works. It is a state machine over single bytes: `state_` says which element of the grammar comes
// next, and `framing` checks one byte against it. So the pieces may be split anywhere, and nothing needs to be
// buffered: what a state has to remember is a number (the size read so far, the bytes used by extensions and trailers).
// Content is the exception: in state::data, `feed` takes the rest of the chunk, or of the input, in one step, and
// returns it as a part of the input. It returns after each such run, because only one fits into a `piece`.
//
// Each size is checked against the limit at the end of its digits, before any content of that chunk is accepted; the
// sum is compared in a form that cannot overflow.

namespace {

constexpr std::uint8_t max_size_digits = 16;

std::unexpected<error> bad(std::string_view text) { return std::unexpected(error{status::bad_request, text}); }

}  // namespace

std::expected<chunked_decoder::piece, error> chunked_decoder::feed(std::span<const char> input,
                                                                   const limits& limits) noexcept
{
    assert(state_ != state::done);
    piece taken;
    if (!error_.text.empty()) return std::unexpected(error_);
    while (taken.consumed < input.size() && state_ != state::done) {
        if (state_ == state::data) {
            const auto rest = input.subspan(taken.consumed);
            const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, rest.size()));
            taken.data = rest.first(length);
            taken.consumed += length;
            content_bytes_ += length;
            chunk_left_ -= length;
            if (chunk_left_ == 0) state_ = state::data_cr;
            break;
        }
        if (auto r = framing(input[taken.consumed], limits); !r) {
            error_ = r.error();
            return std::unexpected(error_);
        }
        ++taken.consumed;
    }
    taken.done = state_ == state::done;
    return taken;
}

/// Processes one byte that is not content.
std::expected<void, error> chunked_decoder::framing(char c, const limits& limits) noexcept
{
    switch (state_) {
        case state::size_first:
        case state::size:
            if (hex_value(c) >= 0) return size_digit(c);
            if (state_ == state::size_first) return bad("A chunk does not begin with its size.");
            if (chunk_left_ > limits.body_bytes || content_bytes_ > limits.body_bytes - chunk_left_)
                return std::unexpected(error{status::content_too_large, "The body is longer than the limit."});
            return after_size(c);
        case state::extension_name_first:
        case state::extension_name:
        case state::extension_value_first:
        case state::extension_value:
        case state::extension_quoted:
        case state::extension_quoted_pair:
        case state::extension_quoted_end:
            if (++extension_bytes_ > limits.chunk_extension_bytes)
                return std::unexpected(
                    error{status::content_too_large, "The chunk extensions are longer than the limit."});
            return extension(c);
        case state::size_lf:
            if (c != '\n') return bad("A chunk size line does not end in CRLF.");
            state_ = chunk_left_ > 0 ? state::data : state::trailer_first;
            return {};
        case state::data_cr:
        case state::data_lf:
            if (c != (state_ == state::data_cr ? '\r' : '\n')) return bad("A chunk does not end in CRLF.");
            state_ = state_ == state::data_cr ? state::data_lf : state::size_first;
            size_digits_ = 0;
            return {};
        case state::trailer_first:
        case state::trailer_name:
        case state::trailer_value:
        case state::trailer_lf:
        case state::end_lf:
            if (++trailer_bytes_ > limits.trailer_bytes)
                return std::unexpected(
                    error{status::request_header_fields_too_large, "The trailer section is longer than the limit."});
            return trailer(c);
        case state::data:
        case state::done:
            break;
    }
    return {};
}

std::expected<void, error> chunked_decoder::size_digit(char c) noexcept
{
    if (++size_digits_ > max_size_digits) return bad("A chunk size has more than 16 digits.");
    chunk_left_ = chunk_left_ << 4 | static_cast<std::uint64_t>(hex_value(c));
    state_ = state::size;
    return {};
}

/// Processes a byte where an extension may begin or the line may end. RFC 9112 section 7.1.1 allows "bad" white space
/// here; it is refused, because no client sends it and two parsers might disagree about it.
std::expected<void, error> chunked_decoder::after_size(char c) noexcept
{
    if (c == '\r') {
        state_ = state::size_lf;
    } else if (c == ';') {
        state_ = state::extension_name_first;
    } else {
        return bad("A chunk size is followed by something other than an extension or CRLF.");
    }
    return {};
}

/// chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] )
std::expected<void, error> chunked_decoder::extension(char c) noexcept
{
    constexpr std::string_view complaint = "A chunk extension is malformed.";
    switch (state_) {
        case state::extension_name_first:
        case state::extension_name:
            if (token_chars.contains(c)) {
                state_ = state::extension_name;
                return {};
            }
            if (state_ == state::extension_name_first) return bad(complaint);
            if (c != '=') return after_size(c);
            state_ = state::extension_value_first;
            return {};
        case state::extension_value_first:
            if (c == '"') {
                state_ = state::extension_quoted;
                return {};
            }
            [[fallthrough]];
        case state::extension_value:
            if (token_chars.contains(c)) {
                state_ = state::extension_value;
                return {};
            }
            return state_ == state::extension_value ? after_size(c) : bad(complaint);
        case state::extension_quoted:
            if (!is_field_char(c)) return bad(complaint);
            if (c == '"') state_ = state::extension_quoted_end;
            if (c == '\\') state_ = state::extension_quoted_pair;
            return {};
        case state::extension_quoted_pair:
            if (!is_field_char(c)) return bad(complaint);
            state_ = state::extension_quoted;
            return {};
        default:
            return after_size(c);
    }
}

/// trailer-section = *( field-line CRLF ) CRLF, with the field lines as in a head (RFC 9112 section 5).
std::expected<void, error> chunked_decoder::trailer(char c) noexcept
{
    switch (state_) {
        case state::trailer_first:
            if (c == '\r') {
                state_ = state::end_lf;
                return {};
            }
            if (!token_chars.contains(c)) return bad("A trailer field has no name.");
            state_ = state::trailer_name;
            return {};
        case state::trailer_name:
            if (c == ':') {
                state_ = state::trailer_value;
                return {};
            }
            if (!token_chars.contains(c)) return bad("The name of a trailer field is not followed by a colon.");
            return {};
        case state::trailer_value:
            if (c == '\r') {
                state_ = state::trailer_lf;
                return {};
            }
            if (!is_field_char(c)) return bad("A trailer field contains a control character.");
            return {};
        default:
            if (c != '\n') return bad("A line of the trailer section does not end in CRLF.");
            state_ = state_ == state::end_lf ? state::done : state::trailer_first;
            return {};
    }
}

chunk_prefix::chunk_prefix(std::uint64_t bytes) noexcept
{
    assert(bytes > 0);
    char* const end = std::to_chars(text_.data(), text_.data() + 16, bytes, 16).ptr;
    end[0] = '\r';
    end[1] = '\n';
    size_ = static_cast<std::size_t>(end - text_.data()) + 2;
}

}  // namespace http
