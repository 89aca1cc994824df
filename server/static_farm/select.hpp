// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <expected>

#include "http/error.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/page.hpp"

namespace server {

inline constexpr http::error precondition_failed{http::status::precondition_failed,
                                                 "The page is not the version that the request requires."};

/// Applies the conditions and ranges of `asked` to a representation (RFC 9110, sections 13 and 14). The response has
/// all of it, parts of it, or is a 304. Its slices refer to the content of the representation; the caller adds the file
/// or page. Errors: 412, 416.
[[nodiscard]] std::expected<response, error_response> select(const request& asked, const description& about,
                                                             std::chrono::sys_seconds now);

}  // namespace server
