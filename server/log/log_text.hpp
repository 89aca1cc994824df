// SPDX-License-Identifier: MIT
//
// How what is said looks, where it goes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/configuration/log_target.hpp"
#include "server/log/log.hpp"

namespace server {

/// A message of the error log as a line of a file, with its LF. In the plain form,
/// "2026-11-24 09:00:00 error: what [request 3f9c51a20b7e-1a4-3]"; control characters come out as \xHH, so that no line
/// can be forged, and no terminal be given orders. In JSON, an object of time, severity, message, and request_id if
/// there is one.
[[nodiscard]] std::string error_text(const log_lines& error, log_form form);

/// The same, or each of many access lines, as the datagrams for a target that takes them.
[[nodiscard]] std::vector<std::string> datagrams_of(const log_lines& lines, log_form form, const log_target& to);

}  // namespace server
