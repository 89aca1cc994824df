// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace http {

/// uri-host [ ":" port ] (RFC 9110 section 7.2, RFC 3986 section 3.2), split into its parts.
struct authority {
    std::string_view host;              // a name, an IPv4 address, or an IP literal with its brackets; never empty
    std::optional<std::uint16_t> port;  // also absent if no digits follow the colon, as RFC 3986 allows
};

/// Returns nullopt if the text is not an authority, or has user information, or has a port above 65535. The views point
/// into `text`.
[[nodiscard]] std::optional<authority> parse_authority(std::string_view text) noexcept;

}  // namespace http
