// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace http {

/// The methods of RFC 9110 section 9 and PATCH (RFC 5789). `other` is any other token: the server answers 501 (RFC 9110
/// section 9.1), or passes the request to a script that knows the method.
enum class method : std::uint8_t { get, head, post, put, delete_, connect, options, trace, patch, other };

/// The method with this name. Names are case-sensitive: `get` is `other`.
[[nodiscard]] method parse_method(std::string_view token) noexcept;

/// The name of a method; empty for `other`, whose name is request_head::method_text.
[[nodiscard]] std::string_view name(method m) noexcept;

/// Safe methods change nothing (RFC 9110 section 9.2.1): get, head, options, trace.
[[nodiscard]] constexpr bool is_safe(method m) noexcept
{
    return m == method::get || m == method::head || m == method::options || m == method::trace;
}

}  // namespace http
