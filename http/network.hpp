// SPDX-License-Identifier: MIT
//
// Addresses of the Internet and sets of them, as values: by which clients are counted and proxies trusted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace http {

// An IPv6 address; of IPv4 the mapped one, ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). All zero: none, as of a client
// behind a Unix socket.
struct ip_address {
    std::array<std::uint8_t, 16> bytes{};

    [[nodiscard]] bool is_v4() const noexcept;
    [[nodiscard]] bool is_loopback() const noexcept;  // 127.0.0.0/8 and ::1
    [[nodiscard]] bool is_none() const noexcept { return bytes == std::array<std::uint8_t, 16>{}; }
    [[nodiscard]] std::string text() const;
    friend auto operator<=>(const ip_address&, const ip_address&) = default;
};

// "192.0.2.1" or "2001:db8::1", nothing else: no port, no zone, no brackets.
[[nodiscard]] std::optional<ip_address> parse_ip(std::string_view text);

// Whoever has one IPv6 address has the other 2^64 of its subnet as well (RFC 4291 section 2.5.4), so they count as one.
[[nodiscard]] ip_address subscriber_of(ip_address a) noexcept;

struct network {
    ip_address base;
    unsigned bits = 128;  // of the prefix, counted as for IPv6

    [[nodiscard]] bool contains(const ip_address& a) const noexcept;
    [[nodiscard]] bool contains(const network& n) const noexcept { return bits <= n.bits && contains(n.base); }
    [[nodiscard]] std::string text() const;
    friend bool operator==(const network&, const network&) = default;
};

// "10.0.0.0/8", "2001:db8::/32", or one address. Bits beyond the prefix must be zero: they are nearly always a mistake.
[[nodiscard]] std::optional<network> parse_network(std::string_view text);
// What may have been meant by one that has such bits: the network around the address.
[[nodiscard]] std::optional<network> network_around(std::string_view text);

[[nodiscard]] bool contains(const std::vector<network>& all, const ip_address& a) noexcept;

}  // namespace http
