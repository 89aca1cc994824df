// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "csp/mobile.hpp"

namespace server {

enum class log_kind : std::uint8_t { access, error, turn };

/// How often the log's configuration has changed, as far as a back end has heard.
using log_turn = std::uint32_t;

/// What is to be logged: whole lines of the access log, those of many requests together, since each crossing between
/// cores has its price; or one message of the error log, which has no form yet; or (`turn`) that a back end has heard
/// of a change, and what it sends from then on is for the new access log.
struct log_lines {
    log_kind which = log_kind::access;
    std::string text;
    std::string severity = {};  // of an error, as syslog names it: "error", "warning", "notice"
    std::string request = {};   // the id of the one that it is about, if there is one
    std::chrono::sys_time<std::chrono::milliseconds> when = {};
    log_turn turn = 0;  // of access lines
};
static_assert(csp::mobile<log_lines>);

/// One message of the error log, with the time.
[[nodiscard]] log_lines error_line(std::string_view severity, std::string_view what, std::string request = {});

}  // namespace server
