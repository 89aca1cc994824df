// SPDX-License-Identifier: MIT
#include "http/target.hpp"

#include <algorithm>
#include <cstddef>

#include "http/characters.hpp"
#include "http/utf8.hpp"

namespace http {
namespace {

std::unexpected<error> bad(std::string_view text) { return std::unexpected(error{status::bad_request, text}); }

bool is_ascii(std::string_view text) noexcept
{
    unsigned char bits = 0;
    for (char c : text) bits |= static_cast<unsigned char>(c);
    return bits < 0x80;
}

bool is_utf8(std::string_view text) noexcept
{
    if (is_ascii(text)) return true;
    while (!text.empty()) {
        const std::size_t length = utf8_character_bytes(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

/// The byte that the escape at the beginning of the text represents.
std::expected<char, error> escaped_byte(std::string_view text)
{
    const int high = text.size() > 2 ? hex_value(text[1]) : -1;
    const int low = text.size() > 2 ? hex_value(text[2]) : -1;
    if (high < 0 || low < 0) return bad("The path contains an invalid percent escape.");
    return static_cast<char>(high * 16 + low);
}

constexpr char encoded_slash = '\0';  // represents it in a canonical path

/// Bytes that are not allowed in a file name. Some file systems and some clients treat the backslash as a slash.
constexpr bool is_unsafe(char c) noexcept { return c == '\\' || is_control(c); }

struct decoded_path {
    std::string text;
    bool is_unsafe = false;  // the path has such a byte, or an encoded slash
};

/// Decodes the escapes of `raw` once, into a new text.
std::expected<decoded_path, error> decode(std::string_view raw)
{
    decoded_path path;
    path.text.resize(raw.size());
    std::size_t used = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        char c = raw[i];
        if (c == '%') {
            const auto byte = escaped_byte(raw.substr(i));
            if (!byte) return std::unexpected(byte.error());
            c = *byte == '/' ? encoded_slash : *byte;
            // No file name contains a NUL, and many programs would read the path only up to it.
            if (*byte == '\0') return bad("The path contains a NUL.");
            i += 2;
        } else if (c == '\0') {
            return bad("The path contains a NUL.");
        }
        path.is_unsafe |= is_unsafe(c);
        path.text[used++] = c;
    }
    path.text.resize(used);
    return path;
}

/// Removes the last segment of `path[0, size)`, which ends in a slash; returns the new size, or 0 at the root.
std::size_t parent(const std::string& path, std::size_t size) noexcept
{
    return size == 1 ? 0 : path.rfind('/', size - 2) + 1;
}

/// Merges slashes and removes dot segments in place; the result is never longer than the input. Slashes are merged
/// first, as file systems do: /a//../b becomes /b, while RFC 3986 alone gives /a/b.
std::expected<void, error> remove_segments(std::string& path)
{
    std::size_t size = 1;  // of the result so far, which ends in a slash here
    for (std::size_t at = 1; at < path.size();) {
        const std::size_t slash = path.find('/', at);
        const bool is_last = slash == std::string::npos;
        const std::size_t end = is_last ? path.size() : slash;
        const std::string_view segment(path.data() + at, end - at);

        if (segment == "..") {
            size = parent(path, size);
            if (size == 0) return bad("The path climbs above the root.");
        } else if (!segment.empty() && segment != ".") {
            std::ranges::copy(segment, path.begin() + static_cast<std::ptrdiff_t>(size));
            size += segment.size();
            if (!is_last) path[size++] = '/';
        }
        at = end + 1;
    }
    path.resize(size);
    return {};
}

/// The characters that need no encoding: unreserved, the slash, and those sub-delims that have no meaning in HTML or
/// Markdown. The colon is encoded, because a relative reference with one might be read as having a scheme.
constexpr char_set plain_path_chars{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$+,;=@"};

/// pchar, "/", "?" (RFC 3986 section 3.4), and the percent sign of an escape.
constexpr char_set query_chars{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$&'()*+,;=@:?%"};

void append_escape(std::string& to, char c)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    to.push_back('%');
    to.push_back(digits[byte >> 4]);
    to.push_back(digits[byte & 15]);
}

/// The path and query of the target, without scheme and authority.
std::string_view path_and_query(const request_head& head) noexcept
{
    if (head.form == target_form::origin) return head.target;
    const auto begin = static_cast<std::size_t>(head.authority.data() + head.authority.size() - head.target.data());
    return head.target.substr(begin);
}

}  // namespace

std::string_view canonical_path::relative() const noexcept
{
    std::string_view path = view().substr(1);
    if (path.ends_with('/')) path.remove_suffix(1);
    return path;
}

std::string_view canonical_path::extension() const noexcept
{
    const std::string_view name = view().substr(view().rfind('/') + 1);
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return {};
    return name.substr(dot + 1);
}

std::expected<canonical_path, error> canonicalize(std::string_view raw_path)
{
    if (!raw_path.starts_with('/')) return bad("The path does not begin with a slash.");
    auto path = decode(raw_path);
    if (!path) return std::unexpected(path.error());
    if (auto r = remove_segments(path->text); !r) return std::unexpected(r.error());
    // Check again, because a dot segment may have removed the unsafe byte.
    const bool names_file = !(path->is_unsafe && std::ranges::any_of(path->text, is_unsafe)) && is_utf8(path->text);
    return canonical_path(std::move(path->text), names_file);
}

std::expected<target, error> parse_target(const request_head& head)
{
    if (head.form == target_form::authority || head.form == target_form::asterisk)
        return bad("The request target has no path.");
    const std::string_view whole = path_and_query(head);
    const auto mark = whole.find('?');
    const std::string_view raw_path = whole.substr(0, mark);
    const std::string_view query = mark == std::string_view::npos ? std::string_view{} : whole.substr(mark + 1);

    auto path = canonicalize(raw_path.empty() ? "/" : raw_path);
    if (!path) return std::unexpected(path.error());
    return target{std::move(*path), query};
}

bool is_hidden(const canonical_path& path) noexcept
{
    std::string_view rest = path.view();
    const std::string_view well_known = "/.well-known";
    if (rest.starts_with(well_known) && (rest.size() == well_known.size() || rest[well_known.size()] == '/'))
        rest.remove_prefix(well_known.size());
    return rest.find("/.") != std::string_view::npos;
}

std::string percent_encode(std::string_view text, const char_set& plain)
{
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        if (plain.contains(c)) {
            encoded.push_back(c);
        } else {
            append_escape(encoded, c == encoded_slash ? '/' : c);
        }
    }
    return encoded;
}

std::string encode_query(std::string_view query) { return percent_encode(query, query_chars); }

std::string encode_path(std::string_view path) { return percent_encode(path, plain_path_chars); }

}  // namespace http
