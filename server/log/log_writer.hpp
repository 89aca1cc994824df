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
#include "server/messages/steward_line.hpp"

namespace server {

/// Identifies a writer to the log.
using log_number = std::uint32_t;

/// Work for a writer: lines to write, or the order to reopen its file.
struct log_work {
    enum class kind : std::uint8_t { write, reopen };

    kind what = kind::write;
    log_lines lines = {};
    log_form form = log_form::combined;
};

/// A report of a writer: how many lines it has written so far, the result of its work, or that its file is closed.
struct log_report {
    enum class kind : std::uint8_t { progress, done, closed };

    log_number from = 0;
    kind what = kind::done;
    std::uint64_t lines = 0;        // progress: written so far; done: lost
    io::error why = {};             // of the loss
    std::string not_reopened = {};  // why the old file is still used
};
static_assert(csp::mobile<log_work> && csp::mobile<log_report>);

[[nodiscard]] std::uint64_t lines_in(const log_lines& lines);

/// Writes one log. Writing may block for any length of time, so this is a process of its own. The log, which must take
/// lines at any time, gives it new work only after it has reported on its previous work.
///
///   work    log_work     from the log, one at a time; closed: no more work
///   to_log  log_report   one `done` for each work, `progress` before it, and `closed` last
///
/// Promise: if memory runs out, it reports the present lines as lost and continues.
/// Client of: log (`to_log`), and of the steward, which opens its file again; server to: log (`work`). It cannot block:
/// the log takes reports in every round, and outputs work only to a writer that waits for it.
csp::process log_writer(log_number me, log_destination to, std::chrono::milliseconds reader_patience,
                        steward_line steward, csp::in<log_work> work, csp::shared_out<log_report> to_log);

}  // namespace server
