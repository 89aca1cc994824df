// SPDX-License-Identifier: MIT
//
// Paths and addresses as an operator writes them in the configuration. They have one meaning everywhere:
// percent-encoded or plain, "/caf%C3%A9" and "/café" are the same path, the one that the front end makes of a request
// for it.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace server {

/// The value in the form that the server works with; or what is wrong with it, and what to write instead.
using reading = std::expected<std::string, std::string>;

/// A path of the site: canonical, as http::canonicalize() makes it.
[[nodiscard]] reading read_path(std::string_view written);

/// The path of a route: canonical, with its star; kind_of() tells its kind.
[[nodiscard]] reading read_route_path(std::string_view written);

/// An entry of `try`: canonical, "{path}" may begin it.
[[nodiscard]] reading read_try(std::string_view written);

/// The name of an index page.
[[nodiscard]] reading read_index(std::string_view written);

/// The target of a rewrite. It stays percent-encoded: it is a canonical path once its placeholders are filled in.
[[nodiscard]] reading read_rewrite(std::string_view written);

/// The target of a redirect: a URI reference (RFC 3986) but for its placeholders. Letters that are not ASCII are
/// percent-encoded.
[[nodiscard]] reading read_redirect(std::string_view written);

}  // namespace server
