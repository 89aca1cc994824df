// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace http {

// One entity-tag (RFC 9110 section 8.8.3).
struct entity_tag {
    std::string_view opaque;  // with its quotes
    bool weak = false;

    friend bool operator==(const entity_tag&, const entity_tag&) = default;
};

// The whole text as one entity-tag; nothing if it is none. The weakness mark is W/, in upper case only.
[[nodiscard]] std::optional<entity_tag> parse_entity_tag(std::string_view text) noexcept;

// RFC 9110 section 8.8.3.2. A strong comparison holds between strong tags only; a weak one ignores the mark.
enum class comparison : std::uint8_t { strong, weak };
[[nodiscard]] bool matches(const entity_tag& a, const entity_tag& b, comparison how) noexcept;

// Walks over a list of entity-tags, whose texts may hold commas. It ends at the first thing that is not an entity-tag,
// since from there on it cannot be told where the next one begins.
class entity_tag_cursor {
  public:
    explicit entity_tag_cursor(std::string_view list) noexcept : rest_(list) {}

    std::optional<entity_tag> next() noexcept;

  private:
    std::string_view rest_;
    bool first_ = true;
};

// Whether an If-Match or If-None-Match field names the representation whose tag is `current`: `*` names any that
// exists, with a tag or without (RFC 9110 sections 13.1.1 and 13.1.2). REQUIRES: there is a representation.
[[nodiscard]] bool names(std::string_view field, const std::optional<entity_tag>& current, comparison how) noexcept;

}  // namespace http
