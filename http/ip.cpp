// SPDX-License-Identifier: MIT
#include "http/ip.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <span>

namespace http {
namespace {

constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned mapped_bits = 96;
constexpr unsigned subnet_bits = 64;

ip_address prefix_of(ip_address a, unsigned bits) noexcept
{
    for (unsigned i = 0; i < a.bytes.size(); ++i) {
        const unsigned kept = bits > i * 8 ? std::min(bits - i * 8, 8U) : 0;
        a.bytes[i] &= static_cast<std::uint8_t>(0xff00U >> kept);
    }
    return a;
}

}  // namespace

bool ip_address::is_v4() const noexcept { return std::ranges::equal(mapped, std::span(bytes).first<12>()); }

bool ip_address::is_loopback() const noexcept
{
    constexpr ip_address v6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    return *this == v6 || (is_v4() && bytes[mapped.size()] == 127);
}

std::string ip_address::text() const
{
    std::array<char, INET6_ADDRSTRLEN> room{};
    return is_v4() ? inet_ntop(AF_INET, &bytes[mapped.size()], room.data(), room.size())
                   : inet_ntop(AF_INET6, bytes.data(), room.data(), room.size());
}

std::optional<ip_address> parse_ip(std::string_view text)
{
    std::array<char, INET6_ADDRSTRLEN> room{};  // inet_pton requires a terminating NUL
    if (text.size() >= room.size() || text.contains('\0')) return std::nullopt;
    text.copy(room.data(), text.size());
    ip_address a;
    if (inet_pton(AF_INET6, room.data(), a.bytes.data()) == 1) return a;
    std::ranges::copy(mapped, a.bytes.begin());
    if (inet_pton(AF_INET, room.data(), &a.bytes[mapped.size()]) == 1) return a;
    return std::nullopt;
}

ip_address subscriber_of(ip_address a) noexcept { return a.is_v4() ? a : prefix_of(a, subnet_bits); }

bool ip_prefix::contains(const ip_address& a) const noexcept { return prefix_of(a, bits) == base; }

std::string ip_prefix::text() const
{
    return base.text() + "/" + std::to_string(base.is_v4() && bits >= mapped_bits ? bits - mapped_bits : bits);
}

std::optional<ip_prefix> prefix_around(std::string_view text)
{
    const auto slash = text.find('/');
    const auto base = parse_ip(text.substr(0, slash));
    if (!base) return std::nullopt;
    ip_prefix n{.base = *base, .bits = 128};
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const unsigned before = base->is_v4() ? mapped_bits : 0;
        const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), n.bits);
        if (problem != std::errc() || end != digits.data() + digits.size() || n.bits > 128 - before)
            return std::nullopt;
        n.bits += before;
    }
    n.base = prefix_of(n.base, n.bits);
    return n;
}

std::optional<ip_prefix> parse_prefix(std::string_view text)
{
    const auto n = prefix_around(text);
    if (!n || n->base != parse_ip(text.substr(0, text.find('/')))) return std::nullopt;
    return n;
}

bool contains(const std::vector<ip_prefix>& all, const ip_address& a) noexcept
{
    return std::ranges::any_of(all, [&](const ip_prefix& n) { return n.contains(a); });
}

}  // namespace http
