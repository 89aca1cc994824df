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

/// The form of a path that the server uses to find, match and cache things. It begins with a slash, was percent-decoded
/// exactly once, and has no empty, `.` or `..` segments. Only canonicalize() creates one, so a function that takes it
/// need not check again.
///
/// A valid path need not name a file (RFC 3986 section 2 allows any byte to be encoded): one with an encoded slash, a
/// backslash, a control character, or bytes that are not UTF-8 (RFC 3629) does not. Routes match such a path, and it
/// may be answered with a fixed page, but it must not be looked up in the file system: see names_file(). An encoded
/// slash is data and does not separate segments (RFC 3986 section 2.2); in the text it is represented by a NUL, which
/// no path contains otherwise.
class canonical_path {
  public:
    /// The root.
    canonical_path() : text_(1, '/') {}

    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] std::string_view view() const noexcept { return text_; }

    /// Whether a file may have this name. If so, the text is UTF-8 without backslashes and control characters.
    [[nodiscard]] bool names_file() const noexcept { return names_file_; }

    /// Whether the client asked for a directory: /a/ and /a/. do, /a does not.
    [[nodiscard]] bool ends_with_slash() const noexcept { return text_.back() == '/'; }

    /// The path to open below the document root, without leading and trailing slash; empty for the root itself.
    /// REQUIRES: names_file(), if you open it.
    [[nodiscard]] std::string_view relative() const noexcept;

    /// The part of the last segment after its last dot; empty if there is no dot, or if it is the first character as in
    /// /.a.
    [[nodiscard]] std::string_view extension() const noexcept;

    friend bool operator==(const canonical_path&, const canonical_path&) = default;

  private:
    canonical_path(std::string text, bool names_file) : text_(std::move(text)), names_file_(names_file) {}
    friend std::expected<canonical_path, error> canonicalize(std::string_view raw_path);

    std::string text_;
    bool names_file_ = true;
};

/// Converts a path as sent, without its query, to a canonical path. Decodes percent escapes once, merges slashes, then
/// removes dot segments (RFC 3986 section 5.2.4). Errors, all 400: no leading slash, an invalid escape, a NUL, a `..`
/// above the root. One allocation, or none for a path of up to 15 bytes.
std::expected<canonical_path, error> canonicalize(std::string_view raw_path);

struct target {
    canonical_path path;
    std::string_view query;  // as sent, without the question mark; points into request_head::target
};

/// The path and query of a request target. An absolute-form target without a path means the root. Errors: those of
/// canonicalize(), and 400 for authority-form and asterisk-form, which have no path: answer these before you call this.
std::expected<target, error> parse_target(const request_head& head);

/// Whether any segment begins with a dot, except `.well-known` as the first segment (RFC 8615).
[[nodiscard]] bool is_hidden(const canonical_path& path) noexcept;

/// Percent-encodes every byte of the text that is not in `plain`. A NUL, which represents an encoded slash in a
/// canonical path, becomes %2F.
[[nodiscard]] std::string percent_encode(std::string_view text, const char_set& plain);

/// Percent-encodes a path for Location and links. The result is safe in a field value, in a quoted HTML attribute and
/// as a relative reference. Encoding a canonical path and canonicalizing the result gives the same path.
[[nodiscard]] std::string encode_path(std::string_view path);

/// Prepares a query as sent for Location (RFC 9110 section 10.2.2): percent-encodes what RFC 3986 section 3.4 does not
/// allow and clients leave unencoded. Existing escapes are kept.
[[nodiscard]] std::string encode_query(std::string_view query);

}  // namespace http
