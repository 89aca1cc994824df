// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace server {

/// Escapes text for the content of an HTML element or a quoted attribute.
[[nodiscard]] std::string html_escaped(std::string_view text);

/// The text as a JSON string with its quotes; see http::append_json_text().
[[nodiscard]] std::string json_quoted(std::string_view text);

}  // namespace server
