// SPDX-License-Identifier: MIT
//
// Opening what the network needs, before anything runs, so that whatever cannot be opened is reported plainly.
#pragma once

#include <expected>
#include <string>

#include "server/configuration/settings.hpp"
#include "server/lifecycle/opened.hpp"
#include "server/service/inherited.hpp"

namespace server {

/// Why something cannot be opened, as one sentence.
using problem = std::string;

/// Raises the soft limit on file descriptors to the hard limit; a low soft limit is for programs that use select().
void allow_many_descriptors();

/// Opens everything. When the program was started as root and is to run as `s.user`, root opens the ports, and the
/// files that only root can replace. Then it drops root's privileges for good, and opens the rest. So the owner of a
/// directory cannot make root open, create or change anything there.
///
/// An address in `s.listen` for which `given` has sockets gets these; the others are opened. If `s.listen` has port 0,
/// it has the chosen port afterwards. Starts the steward too, which keeps the rights of the start.
[[nodiscard]] std::expected<opened, problem> open_all(settings& s, inheritance& given, own_command command);

/// For a start that fails after open_all(): removes the files of the sockets that it made.
void leave_nothing_behind(const opened& o, const inheritance& given);

}  // namespace server
