// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/process.hpp"
#include "io/file.hpp"
#include "io/socket.hpp"
#include "server/observers/log.hpp"
#include "server/settings.hpp"

namespace server {

/// What main() has opened, so that what is wrong with it could be said before anything runs.
struct opened {
    std::vector<std::vector<io::listener>> listeners;  // for each core, one for each address
    std::vector<io::directory> roots;                  // the same directory for each core
    log_files logs;
    std::vector<log_lines> first_lines;  // of the error log: what is served, and how
};

/// The whole server: Figure 1 on every core, and the observers on the first. Ends when SIGTERM or SIGINT has come and
/// what was under way is done, or `patience::grace` is over.
csp::process web_server(settings s, opened o);

}  // namespace server
