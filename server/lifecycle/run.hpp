// SPDX-License-Identifier: MIT
//
// What main() does: opens what the network needs, reports plainly what cannot be opened, closes the sandbox, and runs
// the network.
#pragma once

#include "csp/kernel.hpp"
#include "csp/process.hpp"
#include "io/engine.hpp"
#include "server/configuration/settings.hpp"
#include "server/lifecycle/opened.hpp"

namespace server {

/// What is run. Tests run the network with a process of their own, and engines with a ring of their own.
struct program {
    csp::process (*network)(settings, opened);
    csp::kernel::neighbour_maker (*engines)(io::engine_choice) = io::engines;
};

/// Runs the server, or a command, until it ends. Returns the exit code of the program.
[[nodiscard]] int run_server(int count, const char** words, const program& runs);

}  // namespace server
