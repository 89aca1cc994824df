// SPDX-License-Identifier: MIT
#include "http/method.hpp"

#include <array>
#include <cstddef>

namespace http {
namespace {

/// In the order of the enumeration.
constexpr std::array<std::string_view, 9> names{"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                "CONNECT", "OPTIONS", "TRACE", "PATCH"};
static_assert(names.size() == static_cast<std::size_t>(method::other));

}  // namespace

method parse_method(std::string_view token) noexcept
{
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == token) return static_cast<method>(i);
    return method::other;
}

std::string_view name(method m) noexcept
{
    return m == method::other ? std::string_view{} : names[static_cast<std::size_t>(m)];
}

}  // namespace http
