// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace http {

// The methods of RFC 9110 section 9 and PATCH (RFC 5789). `other` is any other token: it is for the server to answer
// 501 to it (RFC 9110 section 9.1), or to pass it to a script that knows it.
enum class method : std::uint8_t { get, head, post, put, delete_, connect, options, trace, patch, other };

// The method which a token names. Methods are case-sensitive: `get` is `other`.
[[nodiscard]] method parse_method(std::string_view token) noexcept;

// The token of a method; empty for `other`, whose token is request_head::method_text.
[[nodiscard]] std::string_view name(method m) noexcept;

// Safe methods change nothing (RFC 9110 section 9.2.1): get, head, options, trace.
[[nodiscard]] constexpr bool is_safe(method m) noexcept
{
    return m == method::get || m == method::head || m == method::options || m == method::trace;
}

}  // namespace http
