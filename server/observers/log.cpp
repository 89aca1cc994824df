// SPDX-License-Identifier: MIT
#include "server/observers/log.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <poll.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/timer.hpp"
#include "io/address.hpp"
#include "io/socket.hpp"
#include "server/observers/log_text.hpp"

namespace server {

log_lines error_line(std::string_view severity, std::string_view what, std::string request)
{
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    return {log_kind::error, std::string(what), std::string(severity), std::move(request), now};
}

namespace {

/// One of the logs, and how many lines did not get into it since they last did.
struct open_log_state {
    log_destination to;
    std::string_view name;
    std::chrono::milliseconds stream_patience = {};
    io::deadline end = io::no_deadline;  // of all patience
    io::socket socket = {};              // to whoever reads datagrams or a stream, once there was something to send
    bool torn = false;                   // the file ends in the middle of a line
    std::uint64_t lost = 0;

    [[nodiscard]] bool is_on() const { return to.target.what != log_target::kind::none; }
};

/// What did not get through, and why.
struct loss {
    std::uint64_t lines = 0;
    io::error why = {};
};

/// To a stream, as much as its reader takes.
csp::step<io::appended> append_to_stream(open_log_state& log, std::string_view text)
{
    constexpr std::chrono::milliseconds at_once{1};
    io::appended so_far;
    bool may_wait = log.lost == 0;  // who did not read for so long must show that he does again
    while (so_far.bytes < text.size()) {
        const auto now = csp::core::here().now();
        const auto until = std::min(now + (may_wait ? log.stream_patience : at_once), std::max(log.end, now + at_once));
        const auto sent = co_await io::send(log.socket, text.substr(so_far.bytes), until);
        if (!sent) {
            so_far.problem = sent.error();
            break;
        }
        so_far.bytes += *sent;
        may_wait = true;
    }
    co_return so_far;
}

csp::step<loss> append(open_log_state& log, std::string text)
{
    if (text.empty()) co_return loss{};
    const bool mends = log.torn;
    if (mends) text.insert(text.begin(), '\n');
    if (!log.socket) {
        if (auto stream = io::stream_of(log.to.file)) log.socket = std::move(*stream);
    }
    const auto got = log.socket ? co_await append_to_stream(log, text) : co_await io::append_all(log.to.file, text);
    if (got.bytes > 0) log.torn = text[got.bytes - 1] != '\n';
    if (!got.problem) co_return loss{};
    const auto rest = std::string_view(text).substr(std::max<std::size_t>(got.bytes, mends ? 1 : 0));
    co_return loss{static_cast<std::uint64_t>(std::ranges::count(rest, '\n')), *got.problem};
}

/// To the reader of now: if the one of before is gone there may be another.
csp::step<io::result<std::size_t>> send_datagram(open_log_state& log, std::string_view text, io::deadline until)
{
    for (;;) {
        const bool is_new = !log.socket;
        if (is_new) {
            const auto where = io::address::parse("unix:" + log.to.target.path);
            auto connected = where ? io::connect_for_datagrams(*where) : std::unexpected(where.error());
            if (!connected) co_return std::unexpected(connected.error());
            log.socket = std::move(*connected);
        }
        const auto sent = co_await io::send_all(log.socket, text, until);
        if (sent || sent.error().timed_out()) co_return sent;
        log.socket = {};
        if (is_new) co_return sent;
    }
}

csp::step<loss> send(open_log_state& log, std::vector<std::string> datagrams)
{
    constexpr std::chrono::milliseconds patience{100};  // with a reader that has no room
    constexpr std::size_t at_once = 32;                 // then others of this core have their turn
    bool may_wait = log.lost == 0;                      // who did not read for so long must show that it does again
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
        const auto until = csp::core::here().now() + (may_wait ? patience : std::chrono::milliseconds(0));
        const auto sent = co_await send_datagram(log, datagrams[i], until);
        if (!sent) co_return loss{datagrams.size() - i, sent.error()};
        may_wait = true;
        if (i % at_once == at_once - 1) co_await csp::yield();
    }
    co_return loss{};
}

csp::step<loss> put(open_log_state& log, log_lines lines, log_form form)
{
    if (!log.is_on()) co_return loss{};
    if (log.to.target.takes_datagrams()) co_return co_await send(log, datagrams_of(lines, form, log.to.target));
    co_return co_await append(log, lines.which == log_kind::error ? error_text(lines, form) : std::move(lines.text));
}

/// The two logs together: what happens to one is said in the other.
struct both_logs {
    open_log_state access;
    open_log_state error;
    log_form form;
    std::chrono::milliseconds stream_patience;

    // While a change is under way:
    log_turn turn = 0;
    std::size_t unaware = 0;  // back ends that have not said that they know of it
    std::optional<open_log_state> access_before = {};
    std::optional<csp::bridge_out<log_turn>> complete = {};

    [[nodiscard]] open_log_state& log_for(const log_lines& lines)
    {
        if (lines.which == log_kind::error) return error;
        return access_before && lines.turn != turn ? *access_before : access;
    }
};

/// On standard error, unless nobody reads that.
void say(std::string_view what)
{
    pollfd standard_error{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&standard_error, 1, 0) == 1) fmt::print(stderr, "occwserv: {}\n", what);
}

std::string what_was_lost(const open_log_state& of)
{
    return of.lost == 1 ? fmt::format("1 line of the {} log was lost", of.name)
                        : fmt::format("{} lines of the {} log were lost", of.lost, of.name);
}

csp::step<void> say_what_was_lost(open_log_state& of, both_logs& all)
{
    const std::string what = what_was_lost(of);
    if (all.error.is_on() && (co_await put(all.error, error_line("warning", what), all.form)).lines > 0) co_return;
    if (!all.error.is_on()) say(what);
    of.lost = 0;
}

csp::step<void> write(open_log_state& to, log_lines lines, both_logs& all)
{
    const loss l = co_await put(to, std::move(lines), all.form);
    if (l.lines == 0) {
        if (to.lost > 0) co_await say_what_was_lost(to, all);
        co_return;
    }
    if (to.lost == 0) {
        say(fmt::format("the {} log cannot be written ({}); lines are lost until it can", to.name,
                        l.why.timed_out() ? "nobody reads it" : l.why.text));
    }
    to.lost += l.lines;
}

/// Yields the reason if that could not be.
csp::step<std::optional<std::string>> open_anew(open_log_state& log)
{
    if (log.to.target.what != log_target::kind::file) co_return std::nullopt;
    auto f = co_await io::open_again_to_append(log.to.target.path);
    if (!f) {
        co_return fmt::format("the {} log goes on where it was: {} cannot be opened anew: {}", log.name,
                              log.to.target.path, f.error().text);
    }
    log.to.file = std::move(*f);
    log.socket = {};
    log.torn = false;
    co_return std::nullopt;
}

csp::step<void> open_anew(both_logs& all)
{
    bool whole = true;
    for (open_log_state* each : {&all.error, &all.access}) {
        if (auto why = co_await open_anew(*each)) {
            whole = false;
            co_await write(all.error, error_line("error", *why), all);
        }
    }
    if (whole) co_await write(all.error, error_line("notice", "the logs were opened anew"), all);
}

/// Nothing more is written there.
csp::step<void> leave(open_log_state log, both_logs& all)
{
    if (log.lost > 0) co_await say_what_was_lost(log, all);
    if (log.lost > 0) say(what_was_lost(log));
}

csp::step<void> begin_change(log_change change, both_logs& all)
{
    ++all.turn;
    all.unaware = change.back_ends;
    all.complete = std::move(change.complete);
    other_logs& to = change.to;
    all.form = to.form;
    if (to.access) {
        all.access_before = std::exchange(all.access, {std::move(*to.access), "access", all.stream_patience});
    }
    if (to.error) co_await leave(std::exchange(all.error, {std::move(*to.error), "error", all.stream_patience}), all);
}

csp::step<void> end_change(both_logs& all)
{
    if (auto before = std::exchange(all.access_before, std::nullopt)) co_await leave(std::move(*before), all);
    if (auto complete = std::exchange(all.complete, std::nullopt)) co_await complete->output(all.turn);
}

}  // namespace

csp::process log(log_files files, csp::in<log_lines> lines, csp::in<reopen> reopens, csp::in<log_change> changes)
{
    constexpr std::chrono::seconds patience_at_end{2};
    both_logs all{.access = {std::move(files.access), "access", files.stream_patience},
                  .error = {std::move(files.error), "error", files.stream_patience},
                  .form = files.form,
                  .stream_patience = files.stream_patience};
    bool may_reopen = true;
    bool may_change = true;
    for (;;) {
        const auto chosen =
            co_await csp::pri_alt(csp::when(may_reopen, reopens), csp::when(may_change, changes), lines);
        if (chosen == reopens) {
            may_reopen = (co_await reopens.input()).has_value();
            if (may_reopen) {
                co_await open_anew(all);
            } else {
                all.access.end = all.error.end = csp::core::here().now() + patience_at_end;
            }
            continue;
        }
        if (chosen == changes) {
            auto change = co_await changes.input();
            may_change = change.has_value();
            if (change) co_await begin_change(std::move(*change), all);
            continue;
        }
        auto more = co_await lines.input();
        if (!more) break;
        if (more->which == log_kind::turn) {
            if (--all.unaware == 0) co_await end_change(all);
            continue;
        }
        open_log_state& to = all.log_for(*more);
        co_await write(to, std::move(*more), all);
    }
    if (all.access_before) co_await leave(std::move(*all.access_before), all);
    for (open_log_state* each : {&all.access, &all.error}) {
        if (each->lost > 0) co_await say_what_was_lost(*each, all);
        if (each->lost > 0) say(what_was_lost(*each));
    }
}

}  // namespace server
