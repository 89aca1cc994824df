// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "http/weight.hpp"

namespace http {

// The content codings (RFC 9110 section 8.4.1) which the server can send.
enum class coding : std::uint8_t { identity, gzip, brotli, zstd };
inline constexpr std::size_t codings = 4;

// `br`, as in Content-Encoding. Empty for identity, which is never written there (RFC 9110 section 8.4).
[[nodiscard]] std::string_view token(coding c) noexcept;

// `.br`, of the precompressed file beside the plain one. Empty for identity.
[[nodiscard]] std::string_view suffix(coding c) noexcept;

// In which codings a representation is to be had.
class coding_set {
  public:
    constexpr coding_set() noexcept = default;
    constexpr coding_set(std::initializer_list<coding> members) noexcept
    {
        for (coding c : members) add(c);
    }
    constexpr void add(coding c) noexcept { bits_ = static_cast<std::uint8_t>(bits_ | 1U << static_cast<unsigned>(c)); }
    [[nodiscard]] constexpr bool contains(coding c) const noexcept { return bits_ >> static_cast<unsigned>(c) & 1U; }
    friend constexpr bool operator==(coding_set, coding_set) noexcept = default;

  private:
    std::uint8_t bits_ = 0;
};

inline constexpr coding_set all_codings{coding::identity, coding::gzip, coding::brotli, coding::zstd};

// What an Accept-Encoding field lets the server send: eight bytes, copied freely.
class accepted_codings {
  public:
    // Without the field any coding would do (RFC 9110 section 12.5.3), but a client that does not say so is likely one
    // that knows of none; so this permits identity only.
    constexpr accepted_codings() noexcept = default;
    constexpr explicit accepted_codings(const std::array<weight, codings>& weights) noexcept : weights_(weights) {}

    [[nodiscard]] constexpr weight weight_of(coding c) const noexcept { return weights_[static_cast<std::size_t>(c)]; }
    [[nodiscard]] constexpr bool permits(coding c) const noexcept { return weight_of(c) > 0; }

    // The coding to send: of those available the one with the highest weight; among equals br goes first, then
    // zstd, gzip, identity. Identity if nothing available is permitted: RFC 9110 section 12.5.3 lets a server answer so
    // even where it was refused, and a page helps the client more than 406 does.
    [[nodiscard]] coding choose(coding_set available) const noexcept;

    friend constexpr bool operator==(const accepted_codings&, const accepted_codings&) noexcept = default;

  private:
    std::array<weight, codings> weights_{full_weight, 0, 0, 0};
};

// Reads an Accept-Encoding field (RFC 9110 section 12.5.3), or the lack of one. Of a coding named twice, be it as gzip
// and x-gzip (8.4.1.3), the higher weight counts; malformed elements do not.
[[nodiscard]] accepted_codings parse_accept_encoding(std::optional<std::string_view> field) noexcept;

}  // namespace http
