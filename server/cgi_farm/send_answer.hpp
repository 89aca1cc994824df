// SPDX-License-Identifier: MIT
#pragma once

#include <expected>

#include "csp/process.hpp"
#include "server/cgi_farm/outcome.hpp"
#include "server/cgi_farm/program_work.hpp"

namespace server {

/// Sends the output of the program as the response (RFC 3875, section 6), while the program writes it. An error: no
/// byte of the response was sent. After outcome::redirected, `x.asked` has the path and the query of the new request.
/// REQUIRES: start() has started the program.
csp::step<std::expected<outcome, refused>> send_answer(program_work& w);

}  // namespace server
