// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "server/configuration/log_target.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/log_lines.hpp"
#include "server/messages/steward_line.hpp"

namespace server {

struct log_files {
    log_destination access;
    log_destination error;
    steward_line steward = {};                         // opens files again
    log_form form = log_form::combined;                // of the error log; access lines arrive formatted
    std::chrono::milliseconds reader_patience{5'000};  // the time that the reader of a pipe, socket or terminal has
    std::size_t most_waiting = 4 * 1024 * 1024;        // bytes that may wait for each log
};

/// The orders of the supervisor.
enum class log_order : std::uint8_t {
    reopen,          // log files were rotated: open them again by name
    finish,          // the server ends: write all lines that still arrive, then end
    finish_present,  // the program ends while other processes still run: write the lines present, then end
    give_up          // end within half a second
};

/// The result of the log's end.
struct log_end {
    bool is_complete = true;  // false: a write hangs, and only exiting the program ends it
};

/// The changes of a new log configuration.
struct other_logs {
    std::optional<log_destination> access;  // nullopt: unchanged
    std::optional<log_destination> error;
    log_form form = log_form::combined;
};
/// Applies a new configuration. Access lines that were formatted before the change go to the old log, later ones to the
/// new. The change is complete, and answered, when each back end has said that it knows of it.
struct log_change {
    other_logs to;
    std::size_t back_ends = 0;
    csp::bridge_out<log_turn> complete;
};
static_assert(csp::mobile<log_change>);

/// Writes the logs. One process for the whole server, reached over a bridge. It takes lines at any time, so no process
/// that logs waits for a disk or a reader. Each log is written by a process of its own (log_writer); lines that it has
/// not taken yet wait here, up to `most_waiting` bytes. Further lines are lost, as they are when a disk is full or the
/// reader of a pipe has gone or stopped. The first loss is reported on standard error. Lost lines are counted, and when
/// the log can be written again, the error log reports their number.
///
///   lines     log_lines    from every core
///   orders    log_order    from the supervisor. `reopen` loses no line: if a file cannot be opened again, the log is
///                          still written to the old one
///   changes   log_change   from config, one at a time: the next only when the last is complete
///   to_end    log_end      once, when all lines are written or given up
///
/// At the end the log waits up to a minute for its writers, but gives up one that makes no progress for two seconds.
/// The same holds for a log that a new configuration replaces.
///
/// Client of: log_writer (`work`), supervisor (`to_end`); server to: first relay, log_writer, supervisor, config,
/// control, attempt, fault_watch. It cannot block: it outputs work only to a writer that waits for it, and before it
/// outputs `to_end` it closes its end of `orders`, so an order that the supervisor is just outputting does not block
/// it.
csp::process log(log_files files, csp::in<log_lines> lines, csp::in<log_order> orders, csp::in<log_change> changes,
                 csp::out<log_end> to_end);

}  // namespace server
