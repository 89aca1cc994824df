// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "server/front_end/parking.hpp"
#include "server/observers/config.hpp"
#include "server/observers/log.hpp"
#include "server/observers/stats.hpp"
#include "server/settings.hpp"

namespace server {

/// Begins and ends the server. SIGTERM or SIGINT: no new connections, and the end when what is under way is done. When
/// that takes longer than `grace`, or a second signal comes, the program ends at once, with its logs written. SIGHUP:
/// the configuration is read again. SIGUSR1: the files of the logs are opened anew.
///
///   totals          tally            what has been served, when all cores have ended
///   to_config       reload_request   for each SIGHUP
///   to_reopen_logs  reopen           for each SIGUSR1
///   to_cores        stop             once, to each
///   to_log          log_lines        what an operator wants to know
///
/// Deadlock: a client of config, the cores' acceptors and the log; it waits for the cores' end with a time limit.
csp::process supervisor(std::chrono::milliseconds grace, std::vector<log_lines> first_lines, csp::in<tally> totals,
                        csp::shared_out<reload_request> to_config, csp::out<reopen> to_reopen_logs,
                        std::vector<csp::bridge_out<stop>> to_cores, csp::shared_out<log_lines> to_log);

}  // namespace server
