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

/// What the supervisor begins with.
struct beginning {
    supervised configured;  // with another of each socket, to be lent to a successor
    std::string engine;     // how the kernel is spoken to, as a line
    std::vector<log_lines> first_lines;
    io::signal_set signals;  // SIGTERM, SIGINT, SIGHUP, SIGUSR1
    service_manager manager;
    predecessor before_us;  // of which control has another
    who_chooses_addresses addresses = who_chooses_addresses::configuration;
    bool log_hangs = false;  // one that config was to open
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

/// Begins and ends the server, and tells so to those who started it. SIGTERM, SIGINT or an order: no new connections,
/// and the end when what is under way is done. When that takes longer than `grace`, or a second signal comes, the
/// program ends at once, with its logs written as far as they take lines within half a second. Then the logs are waited
/// for as long as they make progress; another signal ends that. When a successor serves, clients have first another
/// `grace` to ask once more. SIGHUP, or an order: the configuration is read again, and the log and who ordered it hear
/// what became of that. Signals and orders are served one after another, so no reload meets another, nor the beginning
/// of the end; but status is answered during a reload too, and what is to end the server cancels the reload.
///
///   orders         supervisor_order   from the control socket
///   totals         tally              what has been served, when all cores have ended
///   to_config      reload_request     for each reload; closed when the server begins to end
///   logs_end       log_end            the logs have ended
///   to_logs        log_order          for each SIGUSR1: the files of the logs are opened anew; at the end: finish
///   to_cores       stop               to each
///   to_witnesses   core_question      do all serve? how many are still under way?
///   to_log         log_lines          what an operator wants to know
///   to_control     predecessor        once, when this server serves and another had its place before
///   while_serving  stop               never written; closed when the server begins to end
///   until_end      stop               never written; closed when the server has ended
///
/// Deadlock: a client of config, the cores' acceptors, the witnesses, the log and, at the beginning, control; a server
/// to control's sessions and the upgrades, whose orders have the ends for their answers, and who wait for these. It
/// waits for the cores' end with a time limit.
csp::process supervisor(beginning with, supervisor_links links);

}  // namespace server
