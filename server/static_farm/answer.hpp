// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <optional>

#include "csp/process.hpp"
#include "http/error.hpp"
#include "server/messages/exchange.hpp"
#include "server/static_farm/get_page.hpp"

namespace server {

/// The result of get_page().
using page_or_error = std::expected<found_page, http::error>;

/// Whether the request needs get_page(); if not, its response is already determined.
[[nodiscard]] bool wants_page(const exchange_record& x);

/// A coding to produce for this request: the client accepts no existing one, or If-Match or If-Range names the tag of
/// this coding, which the client may have from before a restart of the server.
[[nodiscard]] std::optional<http::coding> missing_coding(const request& asked, const page& p);

/// The response to the request, or the error to answer it with. `found` is the result of get_page(), if wants_page().
[[nodiscard]] std::expected<response, error_response> answer_to(const exchange_record& x,
                                                                std::optional<page_or_error> found);
/// The response for an error, which is noted in `x.sent.why`.
[[clang::coro_wrapper]] csp::step<response> answer_with_error(exchange_record& x, const error_response& error);

}  // namespace server
