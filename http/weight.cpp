// SPDX-License-Identifier: MIT
#include "http/weight.hpp"

#include "http/characters.hpp"

namespace http {

std::optional<weight> parse_qvalue(std::string_view text) noexcept
{
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
    if (text.size() > 1 && text[1] != '.') return std::nullopt;
    int sum = text[0] == '1' ? full_weight : 0;
    int worth = 100;
    for (char c : text.substr(text.size() > 1 ? 2 : 1)) {
        if (!is_digit(c)) return std::nullopt;
        sum += (c - '0') * worth;
        worth /= 10;
    }
    if (sum > full_weight) return std::nullopt;
    return static_cast<weight>(sum);
}

std::optional<weight> parse_weight(std::string_view parameter) noexcept
{
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) return std::nullopt;
    return parse_qvalue(parameter.substr(2));
}

}  // namespace http
