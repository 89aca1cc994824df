// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/control/orders.hpp"
#include "server/control/socket.hpp"
#include "server/control/successor.hpp"
#include "server/front_end/parking.hpp"
#include "server/observers/config.hpp"
#include "server/observers/figures.hpp"
#include "server/observers/log.hpp"

namespace server {

/// The ends by which a command reaches the rest of the server.
struct control_links {
    std::vector<csp::bridge_out<core_question>> to_witnesses;
    csp::shared_out<reload_request> to_config;
    csp::shared_out<supervisor_order> to_supervisor;
    csp::shared_out<log_lines> to_log;
};

/// Answers the operator: `occwserv status`, `ps`, `stop`, `reload` and `upgrade`, at a unix socket. A connection is one
/// command, a line; the answer is "ok" or "error", a line, and then text to be shown, until the end of the stream. Only
/// root and the user whom the server runs as are heard.
///
///   over            stop               closed when the server has ended
///   to_witnesses    core_question      how are all?
///   to_config       reload_request     reload
///   to_supervisor   supervisor_order   stop, upgrade
///   to_log          log_lines          who has ordered what
///
/// Deadlock: a client of the witnesses, config, the supervisor and the log, none of which is a client of this one.
csp::process control(control_socket at, own_command command, std::string served, csp::in<stop> over,
                     control_links links);

}  // namespace server
