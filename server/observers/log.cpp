// SPDX-License-Identifier: MIT
#include "server/observers/log.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include <fmt/chrono.h>

namespace server {

log_lines error_line(std::string_view severity, std::string_view what)
{
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return {log_kind::error, fmt::format("{:%Y-%m-%d %H:%M:%S} {}: {}\n", fmt::gmtime(now), severity, what)};
}

namespace {

/// One of the logs, and how many lines did not get into it since they last did.
struct log_file {
    io::file file;
    std::string_view name;
    std::uint64_t lost = 0;
};

csp::step<void> say_what_was_lost(log_file& of, log_file& error)
{
    const log_lines said = error_line("warning", fmt::format("{} lines of the {} log were lost", of.lost, of.name));
    of.lost = 0;
    if (error.file) (void)co_await io::append_all(error.file, said.text);
}

csp::step<void> write(log_file& to, std::string_view text, log_file& error)
{
    const auto written = co_await io::append_all(to.file, text);
    if (written) {
        if (to.lost > 0) co_await say_what_was_lost(to, error);
        co_return;
    }
    if (to.lost == 0) {
        fmt::print(stderr, "occwserv: the {} log cannot be written ({}); lines are lost until it can\n", to.name,
                   written.error().text);
    }
    to.lost += static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

}  // namespace

csp::process log(log_files files, csp::in<log_lines> lines)
{
    log_file access{std::move(files.access), "access"};
    log_file error{std::move(files.error), "error"};
    while (auto more = co_await lines.input()) {
        log_file& to = more->which == log_kind::access ? access : error;
        if (to.file) co_await write(to, more->text, error);
    }
    for (log_file* each : {&access, &error}) {
        if (each->lost > 0) co_await say_what_was_lost(*each, error);
    }
}

}  // namespace server
