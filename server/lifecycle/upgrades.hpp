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

/// The process id of the new server, or why the upgrade failed.
using upgrade_answer = std::expected<pid_t, std::string>;

struct upgrade_request {
    std::string binary;  // to run; if empty, the executable of this server
    csp::out<upgrade_answer> answer = {};
};
static_assert(csp::mobile<upgrade_request>);

struct upgrade_links {
    steward_line steward;
    csp::shared_out<supervisor_order> to_supervisor;
    csp::shared_out<log_lines> to_log;

    [[nodiscard]] upgrade_links another() const { return {steward.another(), to_supervisor, to_log}; }
};

/// Replaces this server by a new one, one attempt at a time. The new server inherits the listening sockets, and both
/// serve. After a second the new server gets the control socket, and this server drains. If the new server fails before
/// that, this one keeps running. If this server is stopped meanwhile, the attempt is cancelled and the new server is
/// stopped too.
///
///   requests        upgrade_request    from the control socket's sessions; one that comes during an attempt is refused
///   over            stop               never written; closed when the server begins to end
///   to_supervisor   supervisor_order   lend the sockets; the new server serves
///   to_log          log_lines          start and failure of each attempt
///
/// Promise: always takes `requests`, and at once answers those that it refuses. However an attempt fails, also for want
/// of memory, its new server is ended, and this server has its control socket back.
/// Deadlock: each attempt is a process of its own, a client of the supervisor and of the log. The supervisor does not
/// wait for an attempt; it closes `over`. This process ends when no request can come and no attempt is in progress.
csp::process upgrades(std::string own_program, std::string control_path, csp::in<upgrade_request> requests,
                      csp::in<stop> over, upgrade_links links);

}  // namespace server
