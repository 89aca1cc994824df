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

/// The content codings (RFC 9110 section 8.4.1) that the server can send.
enum class coding : std::uint8_t { identity, gzip, brotli, zstd };
inline constexpr std::size_t codings = 4;

/// The name in Content-Encoding, such as `br`. Empty for identity, which never appears there (RFC 9110 section 8.4).
[[nodiscard]] std::string_view token(coding c) noexcept;

/// The suffix of a precompressed file, such as `.br`. Empty for identity.
[[nodiscard]] std::string_view suffix(coding c) noexcept;

/// A set of codings, such as those in which a representation is available.
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

/// The codings that an Accept-Encoding field permits, with their weights. Eight bytes, cheap to copy.
class accepted_codings {
  public:
    /// The value for a request without the field: identity only. RFC 9110 section 12.5.3 permits any coding then, but a
    /// client that does not send the field probably does not know any.
    constexpr accepted_codings() noexcept = default;
    constexpr explicit accepted_codings(const std::array<weight, codings>& weights) noexcept : weights_(weights) {}

    [[nodiscard]] constexpr weight weight_of(coding c) const noexcept { return weights_[static_cast<std::size_t>(c)]; }
    [[nodiscard]] constexpr bool permits(coding c) const noexcept { return weight_of(c) > 0; }

    /// The coding to send: the available one with the highest weight; if weights are equal, br comes first, then zstd,
    /// gzip, identity. Returns identity if nothing available is permitted: RFC 9110 section 12.5.3 allows that even for
    /// a client that refuses identity, and a page helps the client more than 406 does.
    [[nodiscard]] coding choose(coding_set available) const noexcept;

    friend constexpr bool operator==(const accepted_codings&, const accepted_codings&) noexcept = default;

  private:
    std::array<weight, codings> weights_{full_weight, 0, 0, 0};
};

/// Parses an Accept-Encoding field (RFC 9110 section 12.5.3), or its absence. If a coding is named twice, as with gzip
/// and x-gzip (8.4.1.3), the higher weight counts. Malformed elements are ignored.
[[nodiscard]] accepted_codings parse_accept_encoding(std::optional<std::string_view> field) noexcept;

}  // namespace http
