// SPDX-License-Identifier: MIT
#include "server/observers/supervisor.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/timer.hpp"
#include "io/signals.hpp"

namespace server {
namespace {

/// Has the configuration read again, and waits until it is in force or refused. The log tells which.
csp::step<void> reload(csp::shared_out<reload_request>& to_config)
{
    csp::chan<reload_answer> reply;
    csp::in<reload_answer> answers = reply.rx();
    if (co_await to_config.output({.who = "SIGHUP", .answer = reply.tx()})) co_await answers.input();
}

}  // namespace

csp::process supervisor(std::chrono::milliseconds grace, std::vector<log_lines> first_lines, csp::in<tally> totals,
                        csp::shared_out<reload_request> to_config, csp::out<reopen> to_reopen_logs,
                        std::vector<csp::bridge_out<stop>> to_cores, csp::shared_out<log_lines> to_log)
{
    io::signal_set signals{SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    for (log_lines& line : first_lines) co_await to_log.output(std::move(line));

    int signal = co_await signals.next();
    for (; signal == SIGHUP || signal == SIGUSR1; signal = co_await signals.next()) {
        if (signal == SIGHUP) co_await reload(to_config);
        if (signal == SIGUSR1) co_await to_reopen_logs.output({});
    }
    co_await to_log.output(
        error_line("notice", fmt::format("{}: no new connections; what is under way has {} s to end",
                                         ::strsignal(signal), static_cast<double>(grace.count()) / 1000)));
    for (auto& to_core : to_cores) co_await to_core.output({});
    to_cores.clear();

    io::signal_set impatience{SIGTERM, SIGINT};
    const csp::timeout patience_ends = csp::after(grace);
    const auto chosen = co_await csp::pri_alt(totals, impatience, patience_ends);
    if (chosen == totals) {
        const auto sum = co_await totals.input();
        co_await to_log.output(error_line("notice", fmt::format("ended; {}", sum ? to_string(*sum) : "")));
        co_return;
    }
    co_await to_log.output(error_line("warning", "ended while answers were still being sent"));
    // The back ends tell what they have, and the log writes it.
    co_await csp::sleep(std::chrono::milliseconds(500));
    // Workers hold sockets of clients that do not read; nothing but the end of the program frees them sooner.
    std::_Exit(EXIT_SUCCESS);
}

}  // namespace server
