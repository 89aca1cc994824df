// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "server/cli11.hpp"

namespace server {

/// occwserv(8), in the language of man(7), as far as the command line tells of itself.
[[nodiscard]] std::string manual_page(const CLI::App& app, const std::string& version);

}  // namespace server
