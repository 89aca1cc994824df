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

namespace server {

struct log_files {
    log_destination access;
    log_destination error;
    log_form form = log_form::combined;                // of the errors; access lines have theirs when they come
    std::chrono::milliseconds reader_patience{5'000};  // with somebody who reads a pipe, a socket or a terminal
    std::size_t most_waiting = 4 * 1024 * 1024;        // bytes of a log that wait to be written
};

/// What the supervisor orders.
enum class log_order : std::uint8_t {
    reopen,          // the files have been moved away and are to be opened anew
    finish,          // the server has ended: the log ends when it has written the lines that are still on their way
    finish_present,  // the program ends while the rest of it works: the log ends when it has written what it has
    give_up          // the log ends within half a second
};

/// How the log has ended.
struct log_end {
    bool is_complete = true;  // else a write hangs, and only the end of the program ends it
};

/// What differs in another configuration of the logs.
struct other_logs {
    std::optional<log_destination> access;  // none: it stays where it is
    std::optional<log_destination> error;
    log_form form = log_form::combined;
};
/// It comes into force. Access lines that were written for the old one go there, the later ones to the new: that is
/// complete when each of the back ends has said that it knows, and then this is answered.
struct log_change {
    other_logs to;
    std::size_t back_ends = 0;
    csp::bridge_out<log_turn> complete;
};
static_assert(csp::mobile<log_change>);

/// Keeps the lines until they are written. One for the whole server, reached over a bridge. It takes lines at any time,
/// so no process that logs waits for a disk or a reader. Each log is written by a process of its own (log_writer);
/// lines that it has not taken wait here, up to `most_waiting` bytes. Beyond that lines are lost, as they are when a
/// disk is full or a reader is gone or has stopped. The first loss is reported on standard error; the lost lines are
/// counted, and when the log can be written again the error log says how many they were.
///
///   lines     log_lines    from every core
///   orders    log_order    from the supervisor. At `reopen` no line is lost: what cannot be opened anew goes on being
///                          written where it was
///   changes   log_change   from config, one after another: the next only when the last is complete
///   to_end    log_end      once, when all is written or given up
///
/// At the end a log that is being written is waited for, up to a minute; one that takes nothing for two seconds is
/// given up. The same holds for a log that a change of the configuration replaces.
///
/// Deadlock: a server to all but its writers; it gives work to a writer only when that waits for it. The supervisor, to
/// which it outputs its end, may be about to output an order: so it first drops its end of `orders`.
csp::process log(log_files files, csp::in<log_lines> lines, csp::in<log_order> orders, csp::in<log_change> changes,
                 csp::out<log_end> to_end);

}  // namespace server
