// SPDX-License-Identifier: MIT
#pragma once

#include "http/request.hpp"
#include "server/messages/exchange.hpp"

namespace server {

/// Makes an exchange of a connection that has a complete head, or an error instead. Every client gets an answer: if the
/// request cannot be answered with a page, the exchange has an error_response. Throws only std::bad_alloc, and `c` then
/// still has its connection. `head` is working memory: it is large, so each worker keeps one. REQUIRES: the connection
/// has a request, with the policy that applies to it; the policy moves to the exchange.
exchange understand(conn&& c, http::request_head& head);

/// The part that is independent of the protocol version: determines the site, the path and the conditions, and whether
/// the request can be answered.
void understand_request(const http::request_head& head, exchange_record& x);

}  // namespace server
