// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/messages/log_lines.hpp"
#include "server/messages/stop.hpp"
#include "server/sandbox/steward.hpp"

namespace server {

/// Logs an end of the steward before that of the server. The server goes on without it: it serves, but cannot upgrade
/// or open logs until a restart.
///
///   over     stop        never written; closed when the server has ended
///   to_log   log_lines   that the steward has ended, and how
///
/// Client of: log; it does not wait for the steward otherwise, which is ended by main().
csp::process steward_watch(pid_t steward, io::descriptor pidfd, csp::in<stop> over, csp::shared_out<log_lines> to_log);

}  // namespace server
