// SPDX-License-Identifier: MIT
//
// The checks of a configuration that need a look at the machine: users, addresses, directories, files. Each message is
// a whole line, with its place in the file if it has one.
//
// A mistake is what the server cannot start with: `check` fails, a start and a reload are refused. A warning is about
// something that it can start with, but that is probably not meant, or that depends on who starts it and when.
#pragma once

#include <string>
#include <vector>

#include "server/policy.hpp"
#include "server/settings.hpp"

namespace server {

/// Users, groups and directories that are not there.
[[nodiscard]] std::vector<std::string> missing_on_this_machine(const settings& s);

struct prospects {
    std::vector<std::string> mistakes;
    std::vector<std::string> warnings;
};
/// Tries the addresses in `listen`, with the rights of this process. Nothing listens there afterwards.
[[nodiscard]] prospects of_addresses(const settings& s);

/// Pages that the configuration names and that are not in the roots, as warnings: they may come later.
[[nodiscard]] std::vector<std::string> missing_pages(const policy& p);

/// Warnings that depend on the rights of whoever starts the server.
[[nodiscard]] std::vector<std::string> missing_rights(const settings& s);

}  // namespace server
