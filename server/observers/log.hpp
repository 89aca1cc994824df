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
#include "server/observers/log_target.hpp"
#include "server/settings.hpp"

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

struct log_files {
    log_destination access;
    log_destination error;
    log_form form = log_form::combined;                // of the errors; access lines have theirs when they come
    std::chrono::milliseconds stream_patience{5'000};  // with somebody who reads a pipe, a socket or a terminal
};

/// The files are to be opened anew, since they have been moved away.
struct reopen {};

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

/// Writes the logs. One for the whole server, reached over a bridge. A disk that is full or broken, or a reader who is
/// gone or has stopped, does not stop the server: it is said once, on standard error; the lines lost are counted; and
/// when it can be written again the error log says how many they were. Who reads a stream slowly loses nothing; while
/// he is waited for, lines are kept on their way here.
///
///   lines     log_lines   from every core
///   reopens   reopen      from the supervisor; who moves a file away loses no line: what cannot be opened anew goes on
///                         being written where it was. Closed at the end: then no reader is waited for much longer
///   changes   log_change  from config, one after another: the next only when the last is complete
///
/// Deadlock: a pure server; waits for a disk as long as that takes, and for a reader with a time limit.
/// Ends when all writers of lines have.
csp::process log(log_files files, csp::in<log_lines> lines, csp::in<reopen> reopens, csp::in<log_change> changes);

}  // namespace server
