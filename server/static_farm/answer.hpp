// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <optional>

#include "csp/process.hpp"
#include "http/error.hpp"
#include "server/exchange.hpp"
#include "server/static_farm/get_page.hpp"

namespace server {

/// What get_page() finds.
using page_or_error = std::expected<found_page, http::error>;

/// Whether a page is to be looked for; if not, the answer is known already.
[[nodiscard]] bool wants_page(const exchange_record& x);

/// What answers the request. `found` is what is under its path, if wants_page(). If that is an error, or cannot be sent
/// in the form asked for, `x.refused` is set.
csp::step<response> answer_to(exchange_record& x, std::optional<page_or_error> found);

}  // namespace server
