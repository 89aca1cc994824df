// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace http {

/// An entity-tag (RFC 9110 section 8.8.3).
struct entity_tag {
    std::string_view opaque;  // with its quotes
    bool weak = false;

    friend bool operator==(const entity_tag&, const entity_tag&) = default;
};

/// Parses the whole text as one entity-tag; nullopt if it is not one. The mark of a weak tag is W/, in upper case only.
[[nodiscard]] std::optional<entity_tag> parse_entity_tag(std::string_view text) noexcept;

/// RFC 9110 section 8.8.3.2. A strong comparison matches strong tags only; a weak comparison ignores the mark.
enum class comparison : std::uint8_t { strong, weak };
[[nodiscard]] bool matches(const entity_tag& a, const entity_tag& b, comparison how) noexcept;

/// Iterates over a list of entity-tags, which may contain commas. Stops at the first element that is not an entity-tag,
/// because the beginning of the next one is unknown from there on.
class entity_tag_cursor {
  public:
    explicit entity_tag_cursor(std::string_view list) noexcept : rest_(list) {}

    std::optional<entity_tag> next() noexcept;

  private:
    std::string_view rest_;
    bool first_ = true;
};

/// Whether an If-Match or If-None-Match field matches the representation whose tag is `current`. `*` matches any
/// representation, with a tag or without (RFC 9110 sections 13.1.1 and 13.1.2). REQUIRES: there is a representation.
[[nodiscard]] bool names(std::string_view field, const std::optional<entity_tag>& current, comparison how) noexcept;

}  // namespace http
