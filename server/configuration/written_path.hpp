// SPDX-License-Identifier: MIT
//
// Reads paths and redirect targets as an operator writes them in the configuration. A path may be percent-encoded or
// not:
// "/caf%C3%A9" and "/café" are the same path, and equal the canonical path that the front end makes of a request for
// it.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace server {

/// The value in the form that the server uses; or a message that says what is wrong and what to write instead.
using reading = std::expected<std::string, std::string>;

/// The path of a file: canonical, as http::canonicalize() makes it.
[[nodiscard]] reading read_path(std::string_view written);

/// The path of a route: canonical, with the star if there is one. kind_of() of sites.hpp yields its kind.
[[nodiscard]] reading read_route_path(std::string_view written);

/// An entry of `try`: canonical, or "{path}" followed by the rest of a canonical path.
[[nodiscard]] reading read_try(std::string_view written);

/// The name of an index page, decoded, such as "index.html" or "start/page.html".
[[nodiscard]] reading read_index(std::string_view written);

/// The target of a rewrite, as written and still percent-encoded: it is checked here, but made canonical only when a
/// request has filled in its placeholders.
[[nodiscard]] reading read_rewrite(std::string_view written);

/// The target of a redirect: a URI reference (RFC 3986), apart from its placeholders. Characters that a URI cannot
/// contain are percent-encoded.
[[nodiscard]] reading read_redirect(std::string_view written);

}  // namespace server
