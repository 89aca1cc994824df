// SPDX-License-Identifier: MIT
//
// How a program begins and ends: its input, its environment and its pipes.
#pragma once

#include <optional>

#include "csp/process.hpp"
#include "server/cgi_farm/body_feeder.hpp"
#include "server/cgi_farm/outcome.hpp"
#include "server/cgi_farm/program_work.hpp"

namespace server {

/// Starts the program with the body of the request as its input. ENSURES: `w.program` is set, unless it returns why
/// the program was not started.
csp::step<std::optional<refused>> start(program_work& w);

/// Goes on to feed a program that does not read its input at present, but writes. `w.body` is what was not read.
void feed_on(program_work& w, fed_body stuck);

/// Ends the program if it still runs, and gives the exchange what was not read of the body.
csp::step<void> end(program_work& w);

}  // namespace server
