// SPDX-License-Identifier: MIT
#include "server/page.hpp"

#include <array>
#include <charconv>

#include "csp/check.hpp"

namespace server {

response_fields& response_fields::add(std::string_view name, std::string_view value)
{
    constexpr std::string_view splitting("\r\n\0", 3);
    CSP_CHECK(value.find_first_of(splitting) == std::string_view::npos, "a field's value would split the response");
    lines_.reserve(lines_.size() + name.size() + value.size() + 4);
    lines_.append(name).append(": ").append(value).append("\r\n");
    return *this;
}

response_fields& response_fields::add(std::string_view name, std::uint64_t value)
{
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
    return add(name, std::string_view(digits.begin(), end));
}

}  // namespace server
