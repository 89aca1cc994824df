// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <variant>

#include "csp/process.hpp"
#include "http/error.hpp"
#include "server/exchange.hpp"
#include "server/page.hpp"
#include "server/policy.hpp"
#include "server/settings.hpp"

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

/// The page for an error, in the form that `asked` prefers: JSON; or the site's own, which is
/// `error.<code>.html` at its root if nothing else is said; or
/// a plain one.
csp::step<response> error_page(const io::directory& root, const page_rules& rules, const request& asked,
                               http::error why, response_fields with);

/// The answer to OPTIONS, the same of every page (RFC 9110, section 9.3.7).
[[nodiscard]] response options(const page_rules& rules, const request& asked);

/// The answer to a request that a route sends elsewhere.
[[nodiscard]] response redirection(const page_rules& rules, const request& asked, const elsewhere& to);

}  // namespace server
