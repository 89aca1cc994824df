// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "server/commands/cli11.hpp"
#include "server/configuration/configuration.hpp"
#include "server/configuration/settings.hpp"

namespace server {

/// Why the program ends without serving: it has carried out a command (--help, `status`, `check`), or there are
/// mistakes, which the caller prints.
struct early_exit {
    int exit_code = 0;
    std::vector<complaint> mistakes;
};

/// Parses the command line, of which words[0] is the name of the program, and reads the configuration file that it
/// names; options override the file. If it names a command, such as `check`, this carries it out. The command line of a
/// running server names none, so a reload may parse it again.
[[nodiscard]] std::expected<settings, early_exit> read_command_line(const std::vector<std::string>& words);

/// Calls `to` with the table of options and commands, from which the manual page and the completions are made.
void show_command_line(const std::function<void(const CLI::App&)>& to);

}  // namespace server
