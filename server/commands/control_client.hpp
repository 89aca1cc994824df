// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "server/commands/cli11.hpp"

namespace server {

/// The arguments of a control command.
struct control_request {
    std::string at;      // path of the server's control socket; "" is /run/occwserv/control
    std::string binary;  // path, for `upgrade`; "" is the file that the server was started from
};

/// Adds `status` and the other commands for a running server to `app`, which will parse their arguments into `asked`.
void describe_control_commands(CLI::App& app, control_request& asked);

/// Carries out the command that `app` has parsed, and returns the exit code: 0, or 1 with a message on standard error.
/// Empty if the command line names none of these commands.
[[nodiscard]] std::optional<int> run_control_command(const CLI::App& app, const control_request& asked);

}  // namespace server
