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

/// The name of a process that has faulted, and without which the server cannot go on.
struct fault {
    std::string process;
};
static_assert(csp::mobile<fault>);

/// Ends the server after such a fault: says so in the error log, has the control socket removed, and ends the program
/// with exit code 1, so that the service manager starts it anew. docs/HAZARDS.md lists the faults that end the server.
///
///   faults       fault       from the process that waits for all others
///   over         stop        closed when the server has ended
///   to_log       log_lines   which process it was
///   to_control   stop        to control, if there is one
///
/// Promise: ends the program within half a second, whether the processes that it tells still listen or not.
/// Deadlock: a client of nobody: it has processes of their own tell the log and control.
csp::process fault_watch(csp::in<fault> faults, csp::in<stop> over, csp::shared_out<log_lines> to_log,
                         std::vector<csp::shared_out<stop>> to_control);

}  // namespace server
