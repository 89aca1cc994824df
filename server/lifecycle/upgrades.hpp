// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <string>
#include <sys/types.h>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "server/lifecycle/orders.hpp"
#include "server/lifecycle/successor.hpp"
#include "server/log/log.hpp"
#include "server/messages/stop.hpp"

namespace server {

/// The new server, or the reason why there is none.
using upgrade_answer = std::expected<pid_t, std::string>;

struct upgrade_request {
    std::string binary;  // to be run; "" is the file that this server was started from
    csp::out<upgrade_answer> answer = {};
};
static_assert(csp::mobile<upgrade_request>);

struct upgrade_links {
    csp::shared_out<supervisor_order> to_supervisor;
    csp::shared_out<log_lines> to_log;
};

/// Has a new server take this one's place, one attempt at a time. The new one is given the sockets, and both serve.
/// When the new one has served for a moment, it is given the control socket, and this server drains. If the new one
/// fails before that, this one goes on as before. If this server has to end meanwhile, the attempt is cancelled: the
/// new server ends as well, and then the attempt is over.
///
///   requests        upgrade_request    from the control socket's sessions; one that comes during an attempt is refused
///   over            stop               never written; closed when the server begins to end
///   to_supervisor   supervisor_order   lend the sockets; a successor serves
///   to_log          log_lines          how it goes
///
/// Promise: always takes `requests`, and answers at once those that it refuses. However an attempt fails, memory
/// running out included, its new server is ended, and this server has its name at the control socket again. Deadlock:
/// each attempt is a process of its own, a client of the supervisor and of the log; the supervisor does not wait for an
/// attempt but closes `over`.
/// Ends when nobody can ask any more and no attempt is under way.
csp::process upgrades(own_command command, std::string control_path, csp::in<upgrade_request> requests,
                      csp::in<stop> over, upgrade_links links);

}  // namespace server
