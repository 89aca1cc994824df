// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/messages/log_lines.hpp"
#include "server/messages/stop.hpp"
#include "server/sandbox/steward.hpp"

namespace server {

/// Reports to the log if the steward ends before the server. The server keeps serving, but until a restart it cannot be
/// upgraded, and cannot open logs or unix addresses.
///
///   over     stop        never written; closed when the cores have ended
///   to_log   log_lines   that the steward has ended, and how
///
/// Client of: log (`to_log`). After the network, run_server() waits for the end of the steward.
csp::process steward_watch(pid_t steward, io::descriptor pidfd, csp::in<stop> over, csp::shared_out<log_lines> to_log);

}  // namespace server
