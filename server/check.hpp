// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <vector>

#include "server/configuration.hpp"

namespace server {

/// `occwserv check`: tells what is wrong with what was read, and what is hardly meant, on standard error: what a start
/// or a reload would refuse, and what it would log as a warning. Changes nothing. Yields the exit code: 2 if there are
/// mistakes.
[[nodiscard]] int check(const std::expected<settings, std::vector<complaint>>& read);

}  // namespace server
