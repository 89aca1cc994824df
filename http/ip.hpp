// SPDX-License-Identifier: MIT
//
// IP addresses and networks (CIDR), as values. Clients are counted, and proxies trusted, by these.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace http {

/// An IPv6 address; an IPv4 address is stored as the mapped one, ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). All zero
/// means none, as for a client on a Unix socket.
struct ip_address {
    std::array<std::uint8_t, 16> bytes{};

    [[nodiscard]] bool is_v4() const noexcept;
    [[nodiscard]] bool is_loopback() const noexcept;  // 127.0.0.0/8 and ::1
    [[nodiscard]] bool is_none() const noexcept { return bytes == std::array<std::uint8_t, 16>{}; }
    [[nodiscard]] std::string text() const;
    friend auto operator<=>(const ip_address&, const ip_address&) = default;
};

/// Parses "192.0.2.1" or "2001:db8::1", without port, zone or brackets.
[[nodiscard]] std::optional<ip_address> parse_ip(std::string_view text);

/// The address under which a client is counted. A client with one IPv6 address has all 2^64 of its subnet (RFC 4291
/// section 2.5.4), so these count as one.
[[nodiscard]] ip_address subscriber_of(ip_address a) noexcept;

struct ip_prefix {
    ip_address base;
    unsigned bits = 128;  // prefix length for IPv6; an IPv4 prefix length is this minus 96

    [[nodiscard]] bool contains(const ip_address& a) const noexcept;
    [[nodiscard]] bool contains(const ip_prefix& n) const noexcept { return bits <= n.bits && contains(n.base); }
    [[nodiscard]] std::string text() const;
    friend bool operator==(const ip_prefix&, const ip_prefix&) = default;
};

/// Parses "10.0.0.0/8", "2001:db8::/32", or a single address. Bits after the prefix must be zero, because others are
/// nearly always a mistake.
[[nodiscard]] std::optional<ip_prefix> parse_prefix(std::string_view text);
/// Parses the same, but clears the bits after the prefix. Use it to suggest what may have been meant.
[[nodiscard]] std::optional<ip_prefix> prefix_around(std::string_view text);

[[nodiscard]] bool contains(const std::vector<ip_prefix>& all, const ip_address& a) noexcept;

}  // namespace http
