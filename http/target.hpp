// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "http/characters.hpp"
#include "http/error.hpp"
#include "http/request.hpp"

namespace http {

// The one path value by which the server finds, matches and caches things. It begins with a slash, was percent-decoded
// exactly once, and has no empty, `.` or `..` segments. Only canonicalize() makes one, so a function that takes it need
// not check again.
//
// A path may be valid and yet be the name of no file (RFC 3986 section 2 lets any byte be encoded): one with an encoded
// slash, a backslash, a control byte, or bytes that are not UTF-8 (RFC 3629). Routes match such a path, and it may be
// answered with a fixed page, but it must not be looked up in the file system: see names_file(). An encoded slash is
// data and parts no segments (RFC 3986 section 2.2); in the text a NUL stands for it, which no path has otherwise.
class canonical_path {
  public:
    // The root.
    canonical_path() : text_(1, '/') {}

    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] std::string_view view() const noexcept { return text_; }

    // Whether there may be a file of this name. If so, the text is UTF-8 without backslashes and control bytes.
    [[nodiscard]] bool names_file() const noexcept { return names_file_; }

    // Whether the client asked for a directory: /a/ and /a/. do, /a does not.
    [[nodiscard]] bool ends_with_slash() const noexcept { return text_.back() == '/'; }

    // What to open beneath the document root: no slash in front nor at the end; empty for the root itself. Not to be
    // opened unless names_file().
    [[nodiscard]] std::string_view relative() const noexcept;

    // What follows the last dot of the last segment, without it; empty if there is none. For /.a too.
    [[nodiscard]] std::string_view extension() const noexcept;

    friend bool operator==(const canonical_path&, const canonical_path&) = default;

  private:
    canonical_path(std::string text, bool names_file) : text_(std::move(text)), names_file_(names_file) {}
    friend std::expected<canonical_path, error> canonicalize(std::string_view raw_path);

    std::string text_;
    bool names_file_ = true;
};

// Makes the canonical path of a path as sent, without its query. Decodes percent escapes once, merges slashes, then
// removes dot segments (RFC 3986 section 5.2.4). Errors, all 400: no slash in front, an invalid escape, a NUL, a `..`
// above the root. One allocation, and none for a path of up to 15 bytes.
std::expected<canonical_path, error> canonicalize(std::string_view raw_path);

struct target {
    canonical_path path;
    std::string_view query;  // as sent, without the question mark; points where request_head::target does
};

// The path and query that a request is for. An absolute-form target without a path is for the root. Errors: those of
// canonicalize(), and 400 for authority-form and asterisk-form, which have no path: answer those before.
std::expected<target, error> parse_target(const request_head& head);

// Whether a segment begins with a dot; `.well-known` as first segment does not count (RFC 8615).
[[nodiscard]] bool is_hidden(const canonical_path& path) noexcept;

// The text with every byte that is not one of these percent-encoded; a NUL, which stands for an encoded slash in a
// canonical path, as %2F.
[[nodiscard]] std::string percent_encode(std::string_view text, const char_set& plain);

// The path percent-encoded, for Location and links. Its characters are safe in a field value, in a quoted HTML
// attribute and as a relative reference; canonicalize() of a canonical path's encoding yields that path.
[[nodiscard]] std::string encode_path(std::string_view path);

// A query as sent, fit for Location (RFC 9110 section 10.2.2): what RFC 3986 section 3.4 has no place for, and clients
// leave as it is, is percent-encoded. The escapes that it has are kept.
[[nodiscard]] std::string encode_query(std::string_view query);

}  // namespace http
