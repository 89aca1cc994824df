// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <variant>

#include "csp/process.hpp"
#include "http/error.hpp"
#include "io/file.hpp"
#include "server/exchange.hpp"
#include "server/page.hpp"
#include "server/settings.hpp"

namespace server {

/// What the static farm works by; each core's workers share one.
struct page_rules {
    io::directory root;
    static_rules files;
    cache_rules cache;
    patience limits;
};

/// What is to be found under a path: a page small enough to be kept, or any other response.
using found_page = std::variant<frozen_page, response>;

/// Looks for the file that answers `asked`. `kept` is the page that the cache has; if the file is still that version,
/// it is handed back rather than read again. Errors: 403, 404, 500.
csp::step<std::expected<found_page, http::error>> get_page(const page_rules& rules, const request& asked,
                                                           const frozen_page& kept);

/// The page for an error: the site's own `error.<code>.html` at its root if there is one, else a plain one.
csp::step<response> error_page(const io::directory& root, http::error why);

}  // namespace server
