// SPDX-License-Identifier: MIT
//
// Completion scripts for bash, zsh and fish, made from the table of options and commands.
#pragma once

#include <string>

#include "server/commands/cli11.hpp"

namespace server {

[[nodiscard]] std::string bash_completion(const CLI::App& app);
[[nodiscard]] std::string zsh_completion(const CLI::App& app);
[[nodiscard]] std::string fish_completion(const CLI::App& app);

}  // namespace server
