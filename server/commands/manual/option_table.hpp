// SPDX-License-Identifier: MIT
//
// The options and commands of a CLI::App, in the form that the manual page and the completions need.
#pragma once

#include <string>
#include <vector>

#include "server/commands/cli11.hpp"

namespace server {

struct option_row {
    std::vector<std::string> names;  // "-l" and "--listen"; empty for a positional argument
    std::string value;               // name of the value, such as "FILE"; "" for a flag
    std::vector<std::string> words;  // the valid values; empty if any other is valid
    std::string what;
};

/// The options of the program, or of a command, in the order of --help.
[[nodiscard]] std::vector<option_row> options_of(const CLI::App& app);

struct command_row {
    std::string name;
    std::string what;
    bool takes_all;                   // accepts the options of the program, too
    std::vector<option_row> options;  // its own, without --help
};

[[nodiscard]] std::vector<command_row> commands_of(const CLI::App& app);

}  // namespace server
