// SPDX-License-Identifier: MIT
//
// The checks of the programs that a configuration names (server/configuration/cgi_rules.hpp). See prospects.hpp on
// mistakes and warnings.
#pragma once

#include <string>
#include <vector>

#include "server/configuration/settings.hpp"

namespace server {

/// Mistakes: programs have requests collected for them, and there is no state directory.
[[nodiscard]] std::vector<std::string> missing_for_programs(const settings& s);
/// Mistakes: users and groups that do not exist.
[[nodiscard]] std::vector<std::string> missing_accounts_of_programs(const settings& s);

/// Warnings: programs that cannot be run as they are. They may be installed or changed later.
[[nodiscard]] std::vector<std::string> unusable_programs(const settings& s);

/// Warnings: programs that are to run as a user to whom this process cannot switch.
[[nodiscard]] std::vector<std::string> missing_rights_for_programs(const settings& s);

}  // namespace server
