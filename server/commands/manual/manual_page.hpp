// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "server/commands/cli11.hpp"

namespace server {

/// The part of occwserv(8) that is made from the table of options and commands, as man(7) source. The rest is in
/// occwserv.8.end.
[[nodiscard]] std::string manual_page(const CLI::App& app, const std::string& version);

}  // namespace server
