// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

namespace CLI {
class App;
}

namespace server {

/// `occwserv status` and the other commands that are for a server that runs. The exit code; nothing when the command
/// line asks for none of them.
[[nodiscard]] std::optional<int> run_control_command(int count, const char* const* words);

/// The options of these commands, for the manual page and for completion.
void describe_control_commands(CLI::App& app);

}  // namespace server
