// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <expected>

#include "http/error.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/page.hpp"

namespace server {

/// Why a representation is not sent, and what else the client is to be told.
struct not_sent {
    http::error why;
    response_fields with;
};

inline constexpr http::error not_the_one_meant{http::status::precondition_failed,
                                               "The page is not, or no longer, the one that was meant."};

/// What of a representation answers `asked`, by its conditions and ranges (RFC 9110, sections 13 and 14): all of it,
/// parts, or that the client has it already. The slices of the response are of the representation's content; where
/// that comes from, the caller adds. Errors: 412, 416.
[[nodiscard]] std::expected<response, not_sent> select(const request& asked, const description& about,
                                                       std::chrono::sys_seconds now);

}  // namespace server
