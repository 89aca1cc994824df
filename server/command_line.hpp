// SPDX-License-Identifier: MIT
#pragma once

#include <expected>

#include "server/settings.hpp"

namespace server {

/// What the program is asked to do: the configuration file's settings with the command line's on top. When there is
/// nothing to run (--help, --version, a mistake, which was told), the exit code instead.
[[nodiscard]] std::expected<settings, int> read_command_line(int count, const char* const* words);

}  // namespace server
