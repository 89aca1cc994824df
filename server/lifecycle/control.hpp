// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/lifecycle/orders.hpp"
#include "server/lifecycle/upgrades.hpp"
#include "server/log/log.hpp"
#include "server/messages/figures.hpp"
#include "server/messages/stop.hpp"
#include "server/service/control_socket.hpp"
#include "server/service/inherited.hpp"

namespace server {

/// The ends by which a command reaches the rest of the server.
struct control_links {
    std::vector<csp::bridge_out<core_question>> to_witnesses;
    csp::shared_out<supervisor_order> to_supervisor;
    csp::shared_out<upgrade_request> to_upgrades;
    csp::shared_out<log_lines> to_log;
};

/// Executes the commands `occwserv status`, `ps`, `stop`, `reload` and `upgrade`, which come by a unix socket. A client
/// sends one line, the command. The answer is a line, "ok" or "error", and then text for the operator, until the end of
/// the stream. Only root and the user that the server runs as may send commands.
///
///   over            stop               closed when the server has ended
///   predecessors    predecessor        from the supervisor, in an upgrade, when this server serves
///   to_witnesses    core_question      figures and processes of each core
///   to_supervisor   supervisor_order   stop, reload; what is served?
///   to_upgrades     upgrade_request    upgrade
///   to_log          log_lines          why the control socket cannot be taken over
///
/// This process itself waits for the lines of all clients; each client has five seconds to send it. A session is forked
/// only for a whole line, so that a silent client cannot delay the end of the server. In an upgrade, as long as the old
/// server has the control socket, the socket of this server is at path_beside().
///
/// Deadlock: sessions are clients of the witnesses, the supervisor and the upgrades, none of which is a client of them.
/// The process itself is a client of the log only, so it may be a server to the supervisor.
csp::process control(control_socket at, csp::in<stop> over, csp::in<predecessor> predecessors, control_links links);

}  // namespace server
