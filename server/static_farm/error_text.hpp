// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "http/status.hpp"

namespace server {

/// The page for an error, for a site that has none of its own. `message` is a sentence for the client, in UTF-8, and
/// may be empty; it is escaped here.
[[nodiscard]] std::string error_html(http::status code, std::string_view message);

/// The same for a program: {"status":404,"error":"Not Found","message":"There is no such page."}
[[nodiscard]] std::string error_json(http::status code, std::string_view message);

}  // namespace server
