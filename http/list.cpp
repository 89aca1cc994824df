// SPDX-License-Identifier: MIT
#include "http/list.hpp"

#include <algorithm>

#include "http/characters.hpp"

namespace http {

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept
{
    return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

std::string_view trim(std::string_view text) noexcept
{
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    return text;
}

bool is_token(std::string_view text) noexcept { return !text.empty() && token_chars.contains_all(text); }

std::optional<std::string_view> list_cursor::next() noexcept
{
    if (ended_) return std::nullopt;
    const auto comma = rest_.find(',');
    const std::string_view element = trim(rest_.substr(0, comma));
    ended_ = comma == std::string_view::npos;
    if (!ended_) rest_.remove_prefix(comma + 1);
    return element;
}

}  // namespace http
