// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "server/configuration/policy.hpp"
#include "server/configuration/settings.hpp"
#include "server/log/log.hpp"
#include "server/messages/cache.hpp"
#include "server/messages/listening.hpp"
#include "server/messages/stop.hpp"
#include "server/service/inherited.hpp"

namespace server {

/// What the supervisor has of a configuration.
struct supervised {
    std::chrono::milliseconds grace{};
    std::string served;  // for `occwserv status`, lines
    listening_change sockets;
};

/// What a reload came to. With mistakes, everything stays as it was.
struct reload_answer {
    std::vector<std::string> mistakes;
    std::vector<std::string> notes;    // what is taken, but not as one might think
    std::vector<std::string> changes;  // what an operator may want to know of it
    std::optional<supervised> now;     // for the supervisor, which keeps it
    bool hangs = false;  // a log's file system has not answered, and only the end of the program ends that
    [[nodiscard]] bool taken() const { return mistakes.empty(); }
};

struct reload_request {
    csp::bridge_out<reload_answer> answer = {};
};
static_assert(csp::mobile<reload_answer> && csp::mobile<reload_request>);

/// The ends by which a core learns of a new configuration.
struct configured_core {
    csp::bridge_out<policy> parking;
    csp::bridge_out<access_log> back_end;
    csp::bridge_out<cache_room> cache_control;
    csp::bridge_out<listening_change> acceptors;
};

/// The lines in which a configuration is told to whoever asks what is served, and where.
[[nodiscard]] std::string what_is_served(const settings& s);

/// Holds the configuration (paper, section 2.6). When it is asked to, it reads the file again, with the same words of
/// the command line on top, opens what that wants, and sends each core what differs. Connections under way end by what
/// they began with, and those parked stay. It lives on the core where things may take long.
///
///   requests   reload_request     from the supervisor, each with the end for its answer, which says what became of it
///   ending     stop               never written; closed when the server begins to end
///   to_cores   policy             to each core's parking, when a configuration has no mistakes
///              cache_room         to its cache_control, when that has changed
///              access_log         to its back end, when the log has changed
///              listening_change   and then, when the supervisor has its answer, to its acceptors
///   to_log     log_change         before the back ends are told; it is waited for until they have passed that on
///
/// Promise: a core is sent nothing of a configuration that has mistakes, or for which a root, an address or a log
/// cannot be opened. A log's file system that does not answer is waited for 10 s, and not when the server ends.
/// Deadlock: a client of parking, of cache_control, of the back ends, of the log, of the acceptors and, within these 10
/// s, of the log_openers that it starts; a server to the supervisor.
csp::process config(settings in_force, std::vector<std::string> words, who_chooses_addresses addresses,
                    csp::in<reload_request> requests, csp::in<stop> ending, std::vector<configured_core> to_cores,
                    csp::bridge_out<log_change> to_log);

}  // namespace server
