// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "csp/mobile.hpp"

namespace server {

enum class log_kind : std::uint8_t { access, error, turn };

/// The number of changes of the log's configuration that a back end has been told of.
using log_turn = std::uint32_t;

/// A message to the log, one of three kinds. `access`: complete lines, of many requests at once, since each crossing
/// between cores has a cost. `error`: one message, not yet formatted. `turn`: a back end has been told of a change of
/// the log's configuration, and what it sends from now on is for the new access log.
struct log_lines {
    log_kind which = log_kind::access;
    std::string text;
    std::string severity = {};  // of an error, in syslog's terms: "error", "warning", "notice"
    std::string request = {};   // the id of the request concerned, or empty
    std::chrono::sys_time<std::chrono::milliseconds> when = {};
    log_turn turn = 0;  // of access lines
};
static_assert(csp::mobile<log_lines>);

/// A message for the error log, with the present time.
[[nodiscard]] log_lines error_line(std::string_view severity, std::string_view what, std::string request = {});

}  // namespace server
