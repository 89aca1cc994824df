// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <vector>

#include "server/configuration.hpp"

namespace server {

/// `occwserv check`: tells what is wrong with what was read, and what is hardly meant, on standard error. Opens the
/// directories that are to be served, and nothing else. Yields the exit code: 2 if there are mistakes.
[[nodiscard]] int check(const std::expected<settings, std::vector<complaint>>& read);

}  // namespace server
