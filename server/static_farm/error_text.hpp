// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "http/status.hpp"

namespace server {

/// The error page for a site that does not have its own. `message` is a sentence for the client, in UTF-8; it may be
/// empty, and is escaped here. `id` is the request id, by which the operator finds the request in the logs.
[[nodiscard]] std::string error_html(http::status code, std::string_view message, std::string_view id);

/// The same error as plain text:
///   404 Not Found
///   There is no such page.
///   Request 3f9c51a20b7e-1a4-3
[[nodiscard]] std::string error_plain(http::status code, std::string_view message, std::string_view id);

/// The same error in JSON:
///   {"status":404,"error":"Not Found","message":"There is no such page.","request_id":"3f9c51a20b7e-1a4-3"}
[[nodiscard]] std::string error_json(http::status code, std::string_view message, std::string_view id);

}  // namespace server
