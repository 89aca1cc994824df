// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "io/file.hpp"

namespace server {

enum class log_kind : std::uint8_t { access, error };

/// Whole lines for a log; those of many requests together, since each crossing between cores has its price.
struct log_lines {
    log_kind which = log_kind::access;
    std::string text;
};
static_assert(csp::mobile<log_lines>);

/// One line of the error log, with the time: "2026-11-24 09:00:00 notice: what".
[[nodiscard]] log_lines error_line(std::string_view severity, std::string_view what);

struct log_files {
    io::file access;  // may be none: nothing is written
    io::file error;
};

/// Writes the logs. One for the whole server, reached over a bridge. A disk that is full or broken does not stop the
/// server: it is said once, on standard error, and the lines lost are counted.
///
///   lines   log_lines   from every core
///
/// Deadlock: a pure server. Ends when all writers have.
csp::process log(log_files files, csp::in<log_lines> lines);

}  // namespace server
