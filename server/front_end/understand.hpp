// SPDX-License-Identifier: MIT
#pragma once

#include "http/request.hpp"
#include "server/messages/exchange.hpp"

namespace server {

/// Makes an exchange of a connection that has a head, or the reason why it has none. What cannot be answered with a
/// page is `refused` in it. Never fails but for want of memory, and then `c` still has its connection: a client is
/// always told what was wrong. REQUIRES: the connection has a policy, by which that is judged, and which goes with the
/// exchange. `head` is room to work in: it is large, so each worker keeps one.
exchange understand(conn&& c, http::request_head& head);

/// The part that does not depend on the protocol: what is asked for, of which site, and whether we would answer that.
void understand_request(const http::request_head& head, exchange_record& x);

}  // namespace server
