// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

namespace http {

/// `Sun, 06 Nov 1994 08:49:37 GMT`: an IMF-fixdate always has 29 characters.
using date_text = std::array<char, 29>;

/// Formats an IMF-fixdate (RFC 9110 section 5.6.7). A time outside the years 0 to 9999 is written as the nearest second
/// within them.
[[nodiscard]] date_text format_date(std::chrono::sys_seconds time) noexcept;

/// Parses the three forms of RFC 9110 section 5.6.7: IMF-fixdate, RFC 850 and asctime. Returns nullopt if the text has
/// none of these forms, is not a day of the calendar, or names the wrong day of the week. A two-digit year that would
/// be more than 50 years after `now` is taken as one in the past.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_date(std::string_view text,
                                                                 std::chrono::sys_seconds now) noexcept;

}  // namespace http
