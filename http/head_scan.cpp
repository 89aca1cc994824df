// SPDX-License-Identifier: MIT
#include "http/characters.hpp"
#include "http/request.hpp"

namespace http {

// How the scan works. A head ends at the first empty line after the request line. The scan searches for the next byte
// that cannot be part of a line, 16 bytes at a time; the only one that may come is the CR of a CRLF. `scanned_` is the
// index of the first byte that has not been examined, so a head that arrives byte by byte is not scanned again from its
// beginning. A CR whose LF has not arrived yet counts as not examined. All positions are indexes, not pointers, because
// the buffer may move between two calls.

namespace {

constexpr std::uint8_t max_empty_lines = 2;
constexpr char tls_handshake = 0x16;  // the first byte of a TLS record with a ClientHello

std::unexpected<error> refuse(status code, std::string_view text) { return std::unexpected(error{code, text}); }

std::unexpected<error> refuse_first_byte(char c)
{
    if (c == tls_handshake) return refuse(status::bad_request, "This port serves HTTP without TLS.");
    return refuse(status::bad_request, "The request does not begin with the name of a method.");
}

std::unexpected<error> refuse_control(char c)
{
    if (c == '\n') return refuse(status::bad_request, "A line feed in the head does not follow a carriage return.");
    return refuse(status::bad_request, "The head contains a control character.");
}

/// The request line is too long. That is the fault of its target, unless the method alone is longer than its own limit
/// (RFC 9112 section 3).
std::unexpected<error> refuse_line(std::string_view line, const limits& limits)
{
    if (!line.substr(0, limits.method_bytes + 1).contains(' '))
        return refuse(status::not_implemented, "The request method is longer than the limit.");
    return refuse(status::uri_too_long, "The request target is longer than the limit.");
}

}  // namespace

std::expected<std::optional<std::size_t>, error> head_scan::feed(std::span<const char> so_far,
                                                                 const limits& limits) noexcept
{
    const std::string_view text(so_far.data(), so_far.size());
    const std::size_t longest_line = limits.method_bytes + limits.target_bytes + std::string_view("  HTTP/1.1").size();

    while (scanned_ < text.size()) {
        if (part_ == part::before && text[scanned_] != '\r') {
            if (!token_chars.contains(text[scanned_])) return refuse_first_byte(text[scanned_]);
            part_ = part::request_line;
        }

        // Check the limits before the byte that ended the run: the first wrong byte decides the answer, so that it does
        // not depend on how the bytes were split.
        const std::size_t at = find_not_field_char(text, scanned_);
        if (part_ == part::request_line && at - line_begin_ > longest_line)
            return refuse_line(text.substr(line_begin_), limits);
        if (at + 2 > limits.head_bytes)
            return refuse(status::request_header_fields_too_large, "The request head is longer than the limit.");

        scanned_ = at;
        if (at == text.size()) break;
        if (text[at] != '\r') return refuse_control(text[at]);
        if (at + 1 == text.size()) break;
        if (text[at + 1] != '\n')
            return refuse(status::bad_request, "A carriage return in the head is not followed by a line feed.");

        scanned_ = at + 2;
        const bool is_empty = at == line_begin_;
        line_begin_ = scanned_;
        if (is_empty && part_ == part::fields) return scanned_;
        if (is_empty && ++empty_lines_ > max_empty_lines)
            return refuse(status::bad_request, "Too many empty lines precede the request line.");
        if (!is_empty) part_ = part::fields;
    }
    return std::nullopt;
}

}  // namespace http
