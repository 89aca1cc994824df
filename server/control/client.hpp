// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "server/cli11.hpp"

namespace server {

/// Which running server is spoken to, and what it is told besides the command.
struct control_request {
    std::string at;      // its control socket; "" is the usual place
    std::string binary;  // for `upgrade`; "" is the file that it was started from
};

/// `occwserv status` and the other commands that are for a server that runs, parsed into `asked`.
void describe_control_commands(CLI::App& app, control_request& asked);

/// Carries out the one that was parsed. The exit code; nothing when the command line asks for none of them.
[[nodiscard]] std::optional<int> run_control_command(const CLI::App& app, const control_request& asked);

}  // namespace server
