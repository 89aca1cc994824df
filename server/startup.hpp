// SPDX-License-Identifier: MIT
//
// Opening what the network needs, before anything runs, so that what cannot be had is said plainly.
#pragma once

#include <expected>
#include <string>

#include "server/network.hpp"
#include "server/service/inherited.hpp"
#include "server/settings.hpp"

namespace server {

/// What cannot be opened, told as one sentence.
using problem = std::string;

/// As many connections as the system allows us: the soft limit on descriptors is for programs that use select().
void allow_many_descriptors();

/// Has the cache keep no more files open than a sixteenth of what a core may have.
void fit_open_files(settings& s);

/// Opens everything. When the program was started as root and is to run as `s.user`, root opens the ports, and the
/// files that only root can replace by others; then root's rights are dropped for good, and the rest is opened: whoever
/// owns a directory cannot have root open, make or change anything there.
///
/// Of `s.listen` only that is opened which `given` has no sockets for; these are taken from it. Where `s.listen` leaves
/// a port open, it says afterwards which it is.
[[nodiscard]] std::expected<opened, problem> open_all(settings& s, inheritance& given);

/// For a start that fails after open_all(): removes the files of the sockets that it made.
void leave_nothing_behind(const opened& o, const inheritance& given);

}  // namespace server
