// SPDX-License-Identifier: MIT
#include "http/authority.hpp"

#include <algorithm>
#include <cstddef>

#include "http/characters.hpp"

namespace http {
namespace {

/// RFC 3986 sections 2.2 and 2.3: unreserved / sub-delims.
constexpr char_set name_chars{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;="};

bool is_hex(char c) noexcept { return hex_value(c) >= 0; }

/// reg-name (RFC 3986 section 3.2.2), which includes IPv4 addresses. RFC 3986 allows an empty one, but an http URI
/// without a host is invalid (RFC 9110 section 4.2.1).
bool is_registered_name(std::string_view text) noexcept
{
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (name_chars.contains(text[i])) continue;
        if (text[i] != '%' || text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
        i += 2;
    }
    return !text.empty();
}

/// dec-octet: no leading zero, at most 255.
bool is_octet(std::string_view text) noexcept
{
    if (text.empty() || text.size() > 3 || !std::ranges::all_of(text, is_digit)) return false;
    if (text.size() > 1 && text[0] == '0') return false;
    return text.size() < 3 || text <= "255";
}

bool is_ipv4(std::string_view text) noexcept
{
    for (int i = 0; i < 3; ++i) {
        const auto dot = text.find('.');
        if (dot == std::string_view::npos || !is_octet(text.substr(0, dot))) return false;
        text.remove_prefix(dot + 1);
    }
    return is_octet(text);
}

/// Counts the 16-bit groups in h16 *( ":" h16 ), where an IPv4 address may replace the last two. Returns 0 for an empty
/// text and nullopt for any other text that does not match.
std::optional<int> count_groups(std::string_view text, bool may_end_in_ipv4) noexcept
{
    int groups = 0;
    while (!text.empty()) {
        const auto colon = text.find(':');
        const std::string_view group = text.substr(0, colon);
        const bool is_last = colon == std::string_view::npos;
        if (is_last && may_end_in_ipv4 && is_ipv4(group)) return groups + 2;
        if (group.empty() || group.size() > 4 || !std::ranges::all_of(group, is_hex)) return std::nullopt;
        ++groups;
        if (is_last) break;
        text.remove_prefix(colon + 1);
        if (text.empty()) return std::nullopt;
    }
    return groups;
}

/// IPv6address: eight groups, or fewer around one "::", which stands for at least one.
bool is_ipv6(std::string_view text) noexcept
{
    const auto gap = text.find("::");
    if (gap == std::string_view::npos) return count_groups(text, true) == 8;
    const auto before = count_groups(text.substr(0, gap), false);
    const auto after = count_groups(text.substr(gap + 2), true);
    return before && after && *before + *after <= 7;
}

/// IPvFuture: "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
bool is_ip_future(std::string_view text) noexcept
{
    if (text.empty() || to_lower(text[0]) != 'v') return false;
    const auto dot = text.find('.');
    if (dot == std::string_view::npos || dot < 2 || dot + 1 == text.size()) return false;
    return std::ranges::all_of(text.substr(1, dot - 1), is_hex) &&
           std::ranges::all_of(text.substr(dot + 1), [](char c) { return c == ':' || name_chars.contains(c); });
}

/// The length of the host at the beginning of the text, including brackets; 0 if there is none.
std::size_t host_length(std::string_view text) noexcept
{
    if (!text.starts_with('[')) {
        const std::string_view name = text.substr(0, text.find(':'));
        return is_registered_name(name) ? name.size() : 0;
    }
    const auto close = text.find(']');
    if (close == std::string_view::npos) return 0;
    const std::string_view literal = text.substr(1, close - 1);
    return is_ipv6(literal) || is_ip_future(literal) ? close + 1 : 0;
}

/// REQUIRES: digits only.
std::optional<std::uint16_t> parse_port(std::string_view digits) noexcept
{
    std::uint32_t port = 0;
    for (char c : digits) {
        port = port * 10 + static_cast<std::uint32_t>(c - '0');
        if (port > 65535) return std::nullopt;
    }
    return static_cast<std::uint16_t>(port);
}

}  // namespace

std::optional<authority> parse_authority(std::string_view text) noexcept
{
    const std::size_t length = host_length(text);
    if (length == 0) return std::nullopt;
    authority parsed{text.substr(0, length), std::nullopt};

    std::string_view rest = text.substr(length);
    if (rest.empty()) return parsed;
    rest.remove_prefix(1);
    if (text[length] != ':' || !std::ranges::all_of(rest, is_digit)) return std::nullopt;
    if (rest.empty()) return parsed;
    parsed.port = parse_port(rest);
    if (!parsed.port) return std::nullopt;
    return parsed;
}

}  // namespace http
