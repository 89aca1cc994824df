// SPDX-License-Identifier: MIT
//
// What CLI11 knows of the options, as those need it who write of them.
#pragma once

#include <string>
#include <vector>

#include "server/cli11.hpp"

namespace server {

struct option_row {
    std::vector<std::string> names;  // "-l" and "--listen"; none of a word that stands by itself
    std::string value;               // what follows: "FILE"; "" if nothing does
    std::vector<std::string> words;  // those that the value must be one of, if it must
    std::string what;
};

/// The options of the program, or of a command.
[[nodiscard]] std::vector<option_row> options_of(const CLI::App& app);

struct command_row {
    std::string name;
    std::string what;
    bool takes_all;                   // the options of the program, too
    std::vector<option_row> options;  // its own; --help is understood
};

[[nodiscard]] std::vector<command_row> commands_of(const CLI::App& app);

}  // namespace server
