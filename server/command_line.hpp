// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "server/cli11.hpp"
#include "server/configuration.hpp"
#include "server/settings.hpp"

namespace server {

/// Something else was asked for, and is done (--help, `status`, `check`); or there are mistakes, which are to be told.
struct nothing_to_serve {
    int exit_code = 0;
    std::vector<complaint> mistakes;
};

/// What is to be served: the configuration file's settings with the command line's on top. Words by which a server was
/// started may be read again for a reload: they ask for nothing else.
[[nodiscard]] std::expected<settings, nothing_to_serve> read_command_line(const std::vector<std::string>& words);

/// Every option and command there is, for whoever describes them: the manual page and the completions.
void show_command_line(const std::function<void(const CLI::App&)>& to);

}  // namespace server
