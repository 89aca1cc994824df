// SPDX-License-Identifier: MIT
#pragma once

#include "server/messages/exchange.hpp"

namespace server {

/// Decides how to answer the request, by its path and the routes of its site.
void decide(exchange_record& x);

/// Decides again, for a request that a program has redirected to another path of its site, which is in `x.asked.path`
/// and `x.asked.query` (RFC 3875, section 6.2.2). It is now a GET, or still a HEAD, without conditions.
void decide_redirect(exchange_record& x);

}  // namespace server
