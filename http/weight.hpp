// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace http {

// How much a client likes something, in thousandths; 0 is not at all (RFC 9110 section 12.4.2).
using weight = std::uint16_t;
inline constexpr weight full_weight = 1000;

// A qvalue: 0 or 1 with up to three decimals, nothing above 1.
[[nodiscard]] std::optional<weight> parse_qvalue(std::string_view text) noexcept;

// The weight in the parameter `q=...`, the name in either case; nothing if it is another one or malformed.
[[nodiscard]] std::optional<weight> parse_weight(std::string_view parameter) noexcept;

}  // namespace http
