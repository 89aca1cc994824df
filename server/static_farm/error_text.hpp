// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "http/status.hpp"

namespace server {

/// The page for an error, for a site that has none of its own. `message` is a sentence for the client, in UTF-8, and
/// may be empty; it is escaped here. `id` is the request's, by which the operator finds it in the logs.
[[nodiscard]] std::string error_html(http::status code, std::string_view message, std::string_view id);

/// The same for a program:
///   {"status":404,"error":"Not Found","message":"There is no such page.","request_id":"3f9c51a20b7e-1a4-3"}
[[nodiscard]] std::string error_json(http::status code, std::string_view message, std::string_view id);

}  // namespace server
