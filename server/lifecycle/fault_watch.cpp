// SPDX-License-Identifier: MIT
#include "server/lifecycle/fault_watch.hpp"

#include <chrono>
#include <cstdlib>
#include <exception>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"
#include "csp/timer.hpp"
#include "server/messages/stop.hpp"

namespace server {
namespace {

csp::process say(log_lines line, csp::shared_out<log_lines> to_log) { co_await to_log.output(std::move(line)); }

csp::process end_control(csp::shared_out<stop> to_control) { co_await to_control.output({stop::manner::now}); }

}  // namespace

csp::process fault_watch(csp::in<fault> faults, csp::in<stop> over, csp::shared_out<log_lines> to_log,
                         std::vector<csp::shared_out<stop>> to_control)
{
    constexpr std::chrono::milliseconds time_to_tell{300};
    if (co_await csp::pri_alt(over, faults) == over) {
        // When the supervisor faults it closes `over` too; the report of its fault comes next.
        co_await csp::yield();
        if (co_await csp::pri_alt(faults, csp::skip) == csp::skip) co_return;
    }
    const auto first = co_await faults.input();
    if (!first) co_return;
    // Memory may be what the first one lacked: the server ends all the same, told or not.
    try {
        csp::forking others(csp::faults::contained);
        others.start(say(error_line("error", fmt::format("the process {} has faulted: the server exits with code 1 so "
                                                         "that it is restarted",
                                                         first->process)),
                         std::move(to_log)));
        for (auto& to : to_control) others.start(end_control(std::move(to)));
        co_await csp::sleep(time_to_tell);
    } catch (const std::exception&) {
        csp::report_fault();
    }
    std::_Exit(EXIT_FAILURE);
}

}  // namespace server
