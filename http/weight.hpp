// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace http {

/// The weight that a client gives to a choice, in thousandths; 0 means not acceptable (RFC 9110 section 12.4.2).
using weight = std::uint16_t;
inline constexpr weight full_weight = 1000;

/// Parses a qvalue: 0 or 1 with up to three decimals, at most 1. Nullopt if the text is not one.
[[nodiscard]] std::optional<weight> parse_qvalue(std::string_view text) noexcept;

/// Parses the parameter `q=...`, ignoring the case of the name. Nullopt if it is another parameter or malformed.
[[nodiscard]] std::optional<weight> parse_weight(std::string_view parameter) noexcept;

}  // namespace http
