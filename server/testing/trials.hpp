// SPDX-License-Identifier: MIT
//
// What the sandbox forbids, tried from inside the running server. occwserv_with_trials is the server with one process
// more, which listens at the unix socket $OCCWSERV_TRIALS: a client sends the name of a trial and its argument in one
// line, and gets what the server was told. For tests/84_trials_test.py.
#pragma once

#include "csp/kernel.hpp"
#include "csp/process.hpp"
#include "io/engine.hpp"
#include "server/configuration/settings.hpp"
#include "server/lifecycle/opened.hpp"

namespace server::test {

/// The web server and the trials.
csp::process server_with_trials(settings s, opened o);

/// As io::engines(). On the first core it makes a second ring, just as the engine makes its own, on which the trials of
/// rings are done: what a process could do with the engine's ring.
[[nodiscard]] csp::kernel::neighbour_maker engines_with_trials(io::engine_choice choice);

}  // namespace server::test
