// SPDX-License-Identifier: MIT
#include "http/entity_tag.hpp"

#include <cstddef>

#include "http/list.hpp"

namespace http {
namespace {

/// etagc = %x21 / %x23-7E / obs-text: no space and no escapes, unlike a quoted string.
constexpr bool is_tag_char(char c) noexcept
{
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != '"' && byte != 0x7f;
}

constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

/// The length of the entity-tag at the beginning of the text; 0 if there is none.
std::size_t tag_length(std::string_view text) noexcept
{
    std::size_t at = text.starts_with("W/") ? 2 : 0;
    if (at == text.size() || text[at] != '"') return 0;
    ++at;
    while (at < text.size() && is_tag_char(text[at])) ++at;
    return at < text.size() && text[at] == '"' ? at + 1 : 0;
}

/// REQUIRES: `text` is an entity-tag.
entity_tag tag_of(std::string_view text) noexcept
{
    const bool weak = text.front() == 'W';
    return {text.substr(weak ? 2 : 0), weak};
}

}  // namespace

std::optional<entity_tag> parse_entity_tag(std::string_view text) noexcept
{
    if (text.empty() || tag_length(text) != text.size()) return std::nullopt;
    return tag_of(text);
}

bool matches(const entity_tag& a, const entity_tag& b, comparison how) noexcept
{
    if (how == comparison::strong && (a.weak || b.weak)) return false;
    return a.opaque == b.opaque;
}

std::optional<entity_tag> entity_tag_cursor::next() noexcept
{
    /// Empty elements are skipped (RFC 9110 section 5.6.1.2), but there must be a comma between two tags.
    bool comma = first_;
    first_ = false;
    while (!rest_.empty() && (is_space(rest_.front()) || rest_.front() == ',')) {
        comma |= rest_.front() == ',';
        rest_.remove_prefix(1);
    }
    const std::size_t length = comma ? tag_length(rest_) : 0;
    if (length == 0) {
        rest_ = {};
        return std::nullopt;
    }
    const entity_tag tag = tag_of(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return tag;
}

bool names(std::string_view field, const std::optional<entity_tag>& current, comparison how) noexcept
{
    if (trim(field) == "*") return true;
    if (!current) return false;
    entity_tag_cursor list(field);
    while (const auto tag = list.next())
        if (matches(*tag, *current, how)) return true;
    return false;
}

}  // namespace http
