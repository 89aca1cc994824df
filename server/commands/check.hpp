// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <vector>

#include "server/configuration/configuration.hpp"

namespace server {

/// `occwserv check`: prints on standard error the mistakes that would make a start or a reload fail, and the warnings
/// that it would log. Changes nothing. Returns the exit code: 0, or 2 if there are mistakes.
[[nodiscard]] int check(const std::expected<settings, std::vector<complaint>>& read);

}  // namespace server
