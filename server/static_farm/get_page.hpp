// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <optional>
#include <string_view>
#include <variant>

#include "csp/process.hpp"
#include "http/error.hpp"
#include "server/configuration/policy.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/page.hpp"
#include "server/static_farm/lookup.hpp"

namespace server {

/// A file that is sent from the disk.
struct large_file {
    io::file file;
    file_identity identity;
    description about;  // but for its etag
};

/// What is to be found under a path: a page small enough to be kept, a file that is not, or another response.
using found_page = std::variant<frozen_page, large_file, response>;

/// Looks for what answers `asked`. `kept` is the page that the cache has; if its files are still those versions, it is
/// handed back rather than read again. Errors: 403, 404, 412 (a listing's), 500, 503.
csp::step<std::expected<found_page, http::error>> get_page(const io::directory& root, const page_rules& rules,
                                                           const request& asked, const frozen_page& kept);

/// The site's own page for an error: by default `error.<code>.html` at its root. Nothing if there is none.
csp::step<std::optional<found_entry>> find_error_page(const io::directory& root, const static_rules& rules,
                                                      http::status code);

/// The page for an error, in the form that `asked` prefers: JSON, or the site's own page, or else the server's page or
/// a few lines of text. All but the site's own page show `id`, the request's.
csp::step<response> error_page(const io::directory& root, const page_rules& rules, const request& asked,
                               http::error why, response_fields with, std::string_view id);

/// The answer to OPTIONS, the same of every page (RFC 9110, section 9.3.7).
[[nodiscard]] response options(const page_rules& rules, const request& asked);

/// The answer to a request that a route sends elsewhere.
[[nodiscard]] response redirection(const page_rules& rules, const request& asked, const elsewhere& to);

}  // namespace server
