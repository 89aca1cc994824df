// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

namespace http {

/// Whether two texts are equal, ignoring the case of ASCII letters.
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// Removes spaces and tabs from both ends (OWS, RFC 9110 section 5.6.3).
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;

/// Whether the text is a token (RFC 9110 section 5.6.2).
[[nodiscard]] bool is_token(std::string_view text) noexcept;

/// Iterates over a comma-separated list (RFC 9110 section 5.6.1) whose elements contain no quoted strings.
///
///     for (list_cursor list(value); auto element = list.next();)
class list_cursor {
  public:
    explicit list_cursor(std::string_view list) noexcept : rest_(list) {}

    /// The next element, trimmed; it may be empty, as in "a,,b". Nullopt after the last one.
    std::optional<std::string_view> next() noexcept;

  private:
    std::string_view rest_;
    bool ended_ = false;
};

}  // namespace http
