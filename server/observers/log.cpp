// SPDX-License-Identifier: MIT
#include "server/observers/log.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <fmt/chrono.h>

namespace server {

log_lines error_line(std::string_view severity, std::string_view what)
{
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return {log_kind::error, fmt::format("{:%Y-%m-%d %H:%M:%S} {}: {}\n", fmt::gmtime(now), severity, what)};
}

csp::process log(log_files files, csp::in<log_lines> lines)
{
    std::uint64_t lost = 0;
    while (auto more = co_await lines.input()) {
        io::file& to = more->which == log_kind::access ? files.access : files.error;
        if (!to) continue;
        const auto written = co_await io::append_all(to, more->text);
        if (!written) {
            if (lost == 0) {
                fmt::print(stderr, "occwserv: a log cannot be written ({}); lines are lost until it can\n",
                           written.error().text);
            }
            lost += static_cast<std::uint64_t>(std::ranges::count(more->text, '\n'));
        } else if (lost > 0) {
            const log_lines said = error_line("warning", fmt::format("{} lines of the logs were lost", lost));
            if (co_await io::append_all(files.error, said.text)) lost = 0;
        }
    }
}

}  // namespace server
