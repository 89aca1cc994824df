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

/// Answers the operator: `occwserv status`, `ps`, `stop`, `reload` and `upgrade`, at a unix socket. A connection is one
/// command, a line; the answer is "ok" or "error", a line, and then text to be shown, until the end of the stream. Only
/// root and the user that the server runs as may give commands.
///
///   over            stop               closed when the server has ended
///   predecessors    predecessor        from the supervisor, when this server serves and another had the place before
///   to_witnesses    core_question      how are all?
///   to_supervisor   supervisor_order   stop, reload; what is served?
///   to_upgrades     upgrade_request    upgrade
///   to_log          log_lines          what is wrong with the socket
///
/// It waits for the clients' lines itself; a client has five seconds for that. A session begins with a whole line, so
/// that no silent client holds up the end. While there is a predecessor, the socket is at path_beside().
///
/// Deadlock: sessions are clients of the witnesses, the supervisor and the upgrades, none of which is a client of them.
/// The process itself is a client of the log only, and so may be a server to the supervisor.
csp::process control(control_socket at, csp::in<stop> over, csp::in<predecessor> predecessors, control_links links);

}  // namespace server
