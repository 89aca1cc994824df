// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "io/signals.hpp"
#include "server/lifecycle/config.hpp"
#include "server/lifecycle/orders.hpp"
#include "server/log/log.hpp"
#include "server/messages/stop.hpp"
#include "server/service/inherited.hpp"
#include "server/service/manager.hpp"
#include "server/stats/stats.hpp"

namespace server {

/// What the supervisor is given at the start.
struct supervisor_setup {
    supervised configured;  // with a duplicate of each listening socket, for a successor
    std::string engine;     // a line about the I/O engine
    std::string sandbox;    // a line about the sandbox
    std::vector<log_lines> first_lines;
    io::signal_set signals;  // SIGTERM, SIGINT, SIGHUP, SIGUSR1
    service_manager manager;
    steward_line steward;
    predecessor old_server;  // in an upgrade; control gets a duplicate
    who_chooses_addresses addresses = who_chooses_addresses::configuration;
    bool log_hangs = false;  // a reload could not open a log, because its file system does not answer
};

struct config_link {
    csp::bridge_out<reload_request> reloads;
    std::optional<csp::bridge_out<stop>> ending;  // never written; closed when the server begins to end
};

/// The supervisor's ends.
struct supervisor_links {
    csp::in<supervisor_order> orders;
    csp::in<tally> totals;
    csp::in<log_end> logs_end;
    config_link to_config;
    csp::out<log_order> to_logs;
    std::vector<csp::bridge_out<stop>> to_cores;
    std::vector<csp::bridge_out<core_question>> to_witnesses;
    csp::shared_out<log_lines> to_log;
    csp::out<predecessor> to_control;
    std::vector<csp::out<stop>> while_serving;
    std::vector<csp::shared_out<stop>> until_end;
};

/// Starts, reloads and stops the server, and reports to the service manager, or in an upgrade to the old server.
///
/// SIGTERM, SIGINT or an order stops the server: it accepts no new connections, and exits when the requests in progress
/// are done. After `grace`, or at a second signal, it does not wait for them any longer. In each case it then waits for
/// the logs as long as they make progress; after a second signal, for half a second at most. If a successor serves,
/// idle clients first get another `grace` to send one more request.
///
/// SIGHUP or an order reloads the configuration; the log and the client of the order are told the result. Signals and
/// orders are handled one at a time, so reloads never overlap. During a reload, status is still answered, and a signal
/// or an order to stop cancels the reload. The clients of `stop` stay connected until the end.
///
///   orders         supervisor_order   from the control socket
///   totals         tally              the total of what was served, when all cores have ended
///   to_config      reload_request     for each reload; closed when the server begins to end
///   logs_end       log_end            the logs have ended
///   to_logs        log_order          reopen the log files, for each SIGUSR1; finish, at the end
///   to_cores       stop               to each
///   to_witnesses   core_question      do all cores serve? how many requests are in progress?
///   to_log         log_lines          messages for the operator
///   to_control     predecessor        once, if this server was started by an upgrade, when it serves
///   while_serving  stop               never written; closed when the server begins to end
///   until_end      stop               never written; closed when the server has ended
///
/// Deadlock: a client of config, of the cores' acceptors, of the witnesses, of the log and, at the start, of control; a
/// server to control's sessions and to the upgrades, which wait for the answers to their orders. It waits for the end
/// of the cores with a time limit.
csp::process supervisor(supervisor_setup with, supervisor_links links);

}  // namespace server
