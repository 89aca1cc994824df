// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "io/error.hpp"
#include "server/configuration/log_target.hpp"
#include "server/configuration/settings.hpp"
#include "server/log/log.hpp"

namespace server {

/// By which the log tells its writers apart.
using log_number = std::uint32_t;

/// What a writer is given: lines, or the order to open its file anew.
struct log_work {
    enum class kind : std::uint8_t { write, open_anew };

    kind what = kind::write;
    log_lines lines = {};
    log_form form = log_form::combined;
};

/// What a writer reports: how many lines it has written so far, the result of the work, or that its file is closed.
struct log_report {
    enum class kind : std::uint8_t { progress, done, closed };

    log_number from = 0;
    kind what = kind::done;
    std::uint64_t lines = 0;           // progress: written so far of those in hand; done: lost
    io::error why = {};                // they were lost
    std::string not_opened_anew = {};  // why the file goes on being written where it was
};
static_assert(csp::mobile<log_work> && csp::mobile<log_report>);

[[nodiscard]] std::uint64_t lines_in(const log_lines& lines);

/// Writes one log. It waits for a disk as long as that takes, so it is a process of its own: the log, which must take
/// lines at any time, gives it new work only when it has reported on the previous work.
///
///   work    log_work     from the log, one at a time; closed: the log is left
///   to_log  log_report   one `done` for each work, `progress` before it, and `closed` last
///
/// Promise: when memory runs out, the lines in hand are lost and reported as such, and it goes on.
/// Deadlock: a client of the log, which takes reports at any time and gives work only to a writer that waits for it.
csp::process log_writer(log_number me, log_destination to, std::chrono::milliseconds reader_patience,
                        csp::in<log_work> work, csp::shared_out<log_report> to_log);

}  // namespace server
