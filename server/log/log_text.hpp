// SPDX-License-Identifier: MIT
//
// The format of log lines, for each kind of target.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/configuration/log_target.hpp"
#include "server/log/log.hpp"

namespace server {

/// A message of the error log as a line of a file, with its LF. In the plain form: "2026-11-24 09:00:00 error: what
/// [request 3f9c51a20b7e-1a4-3]". Control characters are written as \xHH, so that a client cannot forge lines or send
/// escape sequences to a terminal. In JSON: an object with time, severity, message, and request_id if there is one.
[[nodiscard]] std::string error_text(const log_lines& error, log_form form);

/// The message, or each of the access lines, as datagrams for syslog or the journal.
[[nodiscard]] std::vector<std::string> datagrams_of(const log_lines& lines, log_form form, const log_target& to);

}  // namespace server
