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

/// What the program is asked to do: the configuration file's settings with the command line's on top. When there is
/// nothing to run (--help, --version, a mistake, which was told), the exit code instead.
[[nodiscard]] std::expected<settings, int> read_command_line(int count, const char* const* words);

/// The same again from the same words, for a reload: what is wrong comes back.
[[nodiscard]] std::expected<settings, std::vector<complaint>> read_command_line_again(
    const std::vector<std::string>& words);

/// Every option and command there is, for whoever describes them: the manual page and the completions.
void show_command_line(const std::function<void(const CLI::App&)>& to);

}  // namespace server
