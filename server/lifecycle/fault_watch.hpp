// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "server/log/log.hpp"
#include "server/messages/stop.hpp"

namespace server {

/// The name of a faulted process without which the server cannot continue.
struct fault {
    std::string process;
};
static_assert(csp::mobile<fault>);

/// Ends the server after such a fault: reports it in the error log, has control remove the control socket, and exits
/// with code 1, so that the service manager restarts the server. docs/HAZARDS.md lists the faults that end the server.
///
///   faults       fault       from the process that waits for all others
///   over         stop        closed when the server has ended
///   to_log       log_lines   the name of the process
///   to_control   stop        to control, if there is one
///
/// Promise: ends the program within half a second, whether the log and control still take messages or not.
/// Deadlock: a client of no process, since it forks a process for each message.
csp::process fault_watch(csp::in<fault> faults, csp::in<stop> over, csp::shared_out<log_lines> to_log,
                         std::vector<csp::shared_out<stop>> to_control);

}  // namespace server
