// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace http {

// uri-host [ ":" port ] (RFC 9110 section 7.2, RFC 3986 section 3.2), taken apart.
struct authority {
    std::string_view host;              // a name, an IPv4 address, or an IP literal with its brackets; never empty
    std::optional<std::uint16_t> port;  // absent too when the colon has no digits behind it, as RFC 3986 allows
};

// Nothing if the text is no authority, has user information, or a port above 65535.
[[nodiscard]] std::optional<authority> parse_authority(std::string_view text) noexcept;

}  // namespace http
