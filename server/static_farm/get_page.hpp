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

/// A file that is too large to be kept in memory and is sent from the file itself.
struct large_file {
    io::file file;
    file_identity identity;
    description about;  // without its etag
};

/// What a path leads to: a page small enough for the cache, a large file, or another response (a redirect, a listing).
using found_page = std::variant<frozen_page, large_file, response>;

/// Finds the page for `asked`. `kept` is the cached page; if the versions of its files have not changed, it is
/// returned, and the files are not read again. Errors: 403, 404, 412 (for a listing), 500, 503.
csp::step<std::expected<found_page, http::error>> get_page(const io::directory& root, const page_rules& rules,
                                                           const request& asked, const frozen_page& kept);

/// The site's own page for an error, by default `error.<code>.html` at its root; nullopt if there is none.
csp::step<std::optional<found_entry>> find_error_page(const io::directory& root, const static_rules& rules,
                                                      http::status code);

/// The response for an error, in the form that `asked` prefers: JSON; otherwise the site's own page, if it has one;
/// otherwise HTML or plain text from the server. All but the site's own page show `id`, the request's id.
csp::step<response> error_page(const io::directory& root, const page_rules& rules, const request& asked,
                               http::error why, response_fields with, std::string id);

/// The response to OPTIONS, which is the same for every page (RFC 9110, section 9.3.7).
[[nodiscard]] response options(const page_rules& rules, const request& asked);

/// The response to a request that a route redirects.
[[nodiscard]] response redirection(const page_rules& rules, const request& asked, const redirect_to& to);

}  // namespace server
