// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <optional>

#include "csp/process.hpp"
#include "http/error.hpp"
#include "server/messages/exchange.hpp"
#include "server/static_farm/get_page.hpp"

namespace server {

/// What get_page() finds.
using page_or_error = std::expected<found_page, http::error>;

/// Whether a page is to be looked for; if not, the answer is known already.
[[nodiscard]] bool wants_page(const exchange_record& x);

/// A coding in which the page is to be made for this request, because it is the only one that the client takes, or
/// because the client has the page in it: If-Match or If-Range has its tag, which outlives the server.
[[nodiscard]] std::optional<http::coding> missing_coding(const request& asked, const page& p);

/// What answers the request. `found` is what is under its path, if wants_page(). If that is an error, or cannot be sent
/// in the form asked for, `x.refused` is set.
csp::step<response> answer_to(exchange_record& x, std::optional<page_or_error> found);

}  // namespace server
