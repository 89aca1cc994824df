// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "server/observers/log.hpp"
#include "server/policy.hpp"
#include "server/settings.hpp"

namespace server {

/// What a reload came to. With mistakes, everything stays as it was.
struct reload_answer {
    std::vector<std::string> mistakes;
    std::vector<std::string> notes;  // what is taken, but not as one might think
    [[nodiscard]] bool taken() const { return mistakes.empty(); }
};

struct reload_request {
    std::string who;  // for the log: "SIGHUP"
    csp::out<reload_answer> answer;
};
static_assert(csp::mobile<reload_answer> && csp::mobile<reload_request>);

/// Holds the configuration (paper, section 2.6). When it is asked to, it reads the file again, with the same words of
/// the command line on top, and sends each core what connections are treated by from now on. Those under way end by
/// what they began with, and those parked stay.
///
///   requests   reload_request   each with the end for its answer
///   to_cores   policy           to each core's parking, when a configuration has no mistakes
///   to_log     log_lines        what became of it
///
/// Promise: a core is sent nothing of a configuration that has mistakes, or that one of its roots cannot be opened for.
/// Deadlock: a client of parking and of the log; a server to the supervisor and whoever else may ask.
csp::process config(settings in_force, std::vector<std::string> words, csp::in<reload_request> requests,
                    std::vector<csp::bridge_out<policy>> to_cores, csp::shared_out<log_lines> to_log);

}  // namespace server
