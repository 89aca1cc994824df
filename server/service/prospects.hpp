// SPDX-License-Identifier: MIT
//
// The checks of a configuration that depend on the machine: users, addresses, directories, files. Each message is a
// whole line, and begins with its place in the configuration file if it has one.
//
// A mistake prevents a start: `check` fails, and a start or a reload is refused. A warning does not: the setting is
// probably not meant, or its effect depends on who starts the server and when.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/configuration/policy.hpp"
#include "server/configuration/settings.hpp"

namespace server {

/// Whether to look up the account. A reload does not if the account is the one in force: the C library's modules that
/// look it up may need what the sandbox forbids.
enum class user_is : std::uint8_t { to_be_found, known };
/// Mistakes: users, groups and directories that do not exist, also those of programs.
[[nodiscard]] std::vector<std::string> missing_on_this_machine(const settings& s, user_is user = user_is::to_be_found);

struct findings {
    std::vector<std::string> mistakes;
    std::vector<std::string> warnings;
};
/// Binds each address of `listen` for a moment, with the rights of this process, and closes it again.
[[nodiscard]] findings check_addresses(const settings& s);

/// Warnings: pages that the configuration names and that do not exist. They may be added later.
[[nodiscard]] std::vector<std::string> missing_pages(const policy& p);

/// Warnings that depend on the rights of this process, with which the server may not be started.
[[nodiscard]] std::vector<std::string> missing_rights(const settings& s);

/// Mistakes: directories of [sandbox] `read` that are not there, and roots and the like that are outside all of them.
[[nodiscard]] std::vector<std::string> closed_to_reading(const settings& s);

}  // namespace server
