// SPDX-License-Identifier: MIT
#pragma once

#include "csp/process.hpp"
#include "server/cgi_farm/cgi_farm.hpp"
#include "server/cgi_farm/program_work.hpp"
#include "server/messages/exchange.hpp"

namespace server {

/// Runs the program for the request, or after a redirect within the site another one, and sends its response. Returns
/// whether the exchange is answered. If not, it is decided anew: an error, or a redirect to a path that no program
/// answers.
csp::step<bool> answer_by_program(exchange_record& x, page_tools& tools, cgi_links& to);

}  // namespace server
