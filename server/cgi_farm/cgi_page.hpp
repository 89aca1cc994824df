// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "csp/process.hpp"
#include "http/request.hpp"
#include "server/cgi_farm/cgi_farm.hpp"
#include "server/messages/exchange.hpp"
#include "server/respond/respond.hpp"

namespace server {

/// What a worker keeps between requests.
struct page_tools {
    http::request_head head;  // the fields of the request
    head_cache heads;
    std::string room;  // for output
};

/// Runs the program for the request, or after a redirect within the site another one, and sends its response. Returns
/// whether the exchange is answered. If not, it is decided anew: an error, or a redirect to a path that is no
/// program's.
csp::step<bool> answer_by_program(exchange_record& x, page_tools& tools, cgi_links& to);

}  // namespace server
