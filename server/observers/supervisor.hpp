// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <vector>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "io/socket.hpp"
#include "server/control/orders.hpp"
#include "server/front_end/parking.hpp"
#include "server/observers/config.hpp"
#include "server/observers/log.hpp"
#include "server/observers/stats.hpp"
#include "server/service/inherited.hpp"
#include "server/service/manager.hpp"
#include "server/settings.hpp"

namespace server {

/// What the supervisor begins with.
struct beginning {
    std::chrono::milliseconds grace{};
    std::vector<log_lines> first_lines;
    std::vector<io::listener> sockets;  // another of each, to be lent to a successor
    service_manager manager;
    predecessor before_us;
};

/// Begins and ends the server, and tells so to those who started it. SIGTERM, SIGINT or an order: no new connections,
/// and the end when what is under way is done. When that takes longer than `grace`, or a second signal comes, the
/// program ends at once, with its logs written. When a successor serves, clients have first another `grace` to ask once
/// more. SIGHUP: the configuration is read again. SIGUSR1: the files of the logs are opened anew.
///
///   orders           supervisor_order   from the control socket
///   totals           tally              what has been served, when all cores have ended
///   to_config        reload_request     for each SIGHUP
///   to_reopen_logs   reopen             for each SIGUSR1
///   to_cores         stop               to each
///   to_witnesses     core_question      do all serve? how many are still under way?
///   to_log           log_lines          what an operator wants to know
///   until_end        stop               never written; closed when the server has ended
///
/// Deadlock: a client of config, the cores' acceptors, the witnesses and the log; it waits for the cores' end with a
/// time limit.
csp::process supervisor(beginning with, csp::in<supervisor_order> orders, csp::in<tally> totals,
                        csp::shared_out<reload_request> to_config, csp::out<reopen> to_reopen_logs,
                        std::vector<csp::bridge_out<stop>> to_cores,
                        std::vector<csp::bridge_out<core_question>> to_witnesses, csp::shared_out<log_lines> to_log,
                        std::vector<csp::out<stop>> until_end);

}  // namespace server
