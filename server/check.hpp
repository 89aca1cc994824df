// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <vector>

#include "server/configuration.hpp"

namespace server {

/// `occwserv check`: prints on standard error the mistakes for which a start or a reload would be refused, and the
/// warnings that it would log. Changes nothing. Yields the exit code: 2 if there are mistakes.
[[nodiscard]] int check(const std::expected<settings, std::vector<complaint>>& read);

}  // namespace server
