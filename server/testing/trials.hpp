// SPDX-License-Identifier: MIT
//
// Tries, from inside the running server, what the sandbox forbids. occwserv_with_trials is the server with one more
// process, which listens at the unix socket $OCCWSERV_TRIALS: a client sends the name of a trial and its argument in
// one line, and gets the result, "done" or the text of the error. For tests/84_trials_test.py.
#pragma once

#include "csp/kernel.hpp"
#include "csp/process.hpp"
#include "io/engine.hpp"
#include "server/configuration/settings.hpp"
#include "server/lifecycle/opened.hpp"

namespace server::test {

/// The web server and the trials.
csp::process server_with_trials(settings s, opened o);

/// As io::engines(). On the first core it also makes a second ring, in the same way as the engine makes its own, for
/// the trials: it can do what the engine's ring can.
[[nodiscard]] csp::kernel::neighbour_maker engines_with_trials(io::engine_choice choice);

}  // namespace server::test
