// SPDX-License-Identifier: MIT
//
// The life of the program: opens what the network needs, or reports what cannot be opened; closes the sandbox; runs the
// network.
#pragma once

#include "csp/kernel.hpp"
#include "csp/process.hpp"
#include "io/engine.hpp"
#include "server/configuration/settings.hpp"
#include "server/lifecycle/opened.hpp"

namespace server {

/// The network to run, and its engines. A test adds a process to the network, and a ring to the engines.
struct program {
    csp::process (*network)(settings, opened);
    csp::kernel::neighbour_maker (*engines)(io::engine_choice) = io::engines;
};

/// Runs the server, or a command, until it ends. Returns the exit code of the program.
[[nodiscard]] int run_server(int count, const char** words, const program& runs);

}  // namespace server
