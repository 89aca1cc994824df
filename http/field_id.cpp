// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/characters.hpp"
#include "http/request.hpp"

namespace http {
namespace {

/// In the order of the enumeration, in lower case.
constexpr std::array<std::string_view, known_fields> names{
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-event-id",
    "origin",
    "proxy",
    "proxy-authorization",
    "range",
    "referer",
    "sec-fetch-site",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
};
static_assert(std::ranges::is_sorted(names), "the enumeration is alphabetical, so a missing name shows here");

/// A perfect hash over length, first and last character. The compiler searches for a multiplier that gives each name a
/// slot of its own, so a field name is compared with at most one candidate.
constexpr std::uint32_t key(std::string_view name) noexcept
{
    const auto letter = [](char c) { return static_cast<std::uint32_t>(static_cast<unsigned char>(to_lower(c))); };
    return static_cast<std::uint32_t>(name.size()) << 16 | letter(name.front()) << 8 | letter(name.back());
}

constexpr std::uint32_t slot(std::string_view name, std::uint32_t multiplier) noexcept
{
    return (key(name) * multiplier) >> 24;
}

constexpr bool keeps_apart(std::uint32_t multiplier)
{
    std::array<bool, 256> taken{};
    for (std::string_view name : names) {
        bool& mine = taken[slot(name, multiplier)];
        if (mine) return false;
        mine = true;
    }
    return true;
}

constexpr std::uint32_t find_multiplier()
{
    std::uint32_t multiplier = 0x9E3779B1;  // odd, with well-mixed bits; the odd numbers after it are as good
    while (!keeps_apart(multiplier)) multiplier += 2;
    return multiplier;
}

constexpr std::uint32_t multiplier = find_multiplier();

constexpr auto slots = [] {
    std::array<field_id, 256> table{};
    table.fill(field_id::none);
    for (std::size_t i = 0; i < names.size(); ++i) table[slot(names[i], multiplier)] = static_cast<field_id>(i);
    return table;
}();

std::uint64_t eight_bytes(const char* from) noexcept
{
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, from, sizeof bytes);
    return bytes;
}

/// Compares a field name with a name of the table, eight bytes at a time. It sets the bit that makes letters lower
/// case. In a token, that maps no other character to a letter or a hyphen (it would map a CR to the hyphen, but a token
/// has none).
bool is_spelling_of(std::string_view known, std::string_view name) noexcept
{
    constexpr std::uint64_t lower_case = 0x2020202020202020;
    if (known.size() != name.size()) return false;
    std::size_t i = 0;
    for (; known.size() - i >= 8; i += 8)
        if ((eight_bytes(name.data() + i) | lower_case) != eight_bytes(known.data() + i)) return false;
    for (; i < known.size(); ++i)
        if ((name[i] | 0x20) != known[i]) return false;
    return true;
}

}  // namespace

field_id identify_field(std::string_view name) noexcept
{
    if (name.empty()) return field_id::none;
    const field_id candidate = slots[slot(name, multiplier)];
    if (candidate == field_id::none || !is_spelling_of(names[static_cast<std::size_t>(candidate)], name))
        return field_id::none;
    return candidate;
}

}  // namespace http
