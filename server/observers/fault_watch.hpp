// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "server/front_end/parking.hpp"
#include "server/observers/log.hpp"

namespace server {

/// A process has faulted that the server cannot do without.
struct fault {
    std::string process;
};
static_assert(csp::mobile<fault>);

/// Ends the server after such a fault: says so in the error log, has the control socket removed, and ends the program
/// with exit code 1, so that whoever started it starts it anew. Which fault has this end is in docs/HAZARDS.md.
///
///   faults       fault       from the process that waits for all others
///   over         stop        closed when the server has ended
///   to_log       log_lines   which process it was
///   to_control   stop        to control, if there is one
///
/// Promise: ends the program within half a second, whether those whom it tells still listen or not.
/// Deadlock: a client of nobody: those who tell the log and control are processes of their own.
csp::process fault_watch(csp::in<fault> faults, csp::in<stop> over, csp::shared_out<log_lines> to_log,
                         std::vector<csp::shared_out<stop>> to_control);

}  // namespace server
