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
#include "server/messages/steward_line.hpp"
#include "server/messages/stop.hpp"
#include "server/service/inherited.hpp"

namespace server {

/// The part of a configuration that the supervisor keeps.
struct supervised {
    std::chrono::milliseconds grace{};
    std::string served;  // lines for `occwserv status`
    listening_change sockets;
};

/// The result of a reload. If it was refused, nothing has changed.
struct reload_answer {
    bool taken = false;
    std::vector<std::string> mistakes = {};  // why it was refused
    std::vector<std::string> notes = {};     // warnings
    std::vector<std::string> changes = {};   // what has changed, for the operator
    std::optional<supervised> now = {};      // for the supervisor, which keeps it
    bool hangs = false;  // the file system of a log does not answer; a process waits for it until the program exits
};

struct reload_request {
    csp::bridge_out<reload_answer> answer = {};
};
static_assert(csp::mobile<reload_answer> && csp::mobile<reload_request>);

/// The ends by which a core learns of a new configuration.
struct configured_core {
    csp::bridge_out<freezable_policy> parking;
    csp::bridge_out<access_log> back_end;
    csp::bridge_out<cache_room> cache_control;
    csp::bridge_out<listening_change> acceptors;
};

/// Lines that say what a configuration serves, and where.
[[nodiscard]] std::string what_is_served(const settings& s);

/// Holds the configuration (paper, section 2.6). For each request it reads the file again, with the same command-line
/// options, opens what the new configuration needs, and sends each core what differs. Requests in progress finish under
/// the old configuration, and idle connections stay open. It runs on the core for work that takes long.
///
///   requests   reload_request     from the supervisor; the answer is the result
///   ending     stop               never written; closed when the server begins to end
///   to_cores   freezable_policy   to each core's parking, when a configuration has no mistakes
///              cache_room         to its cache_control, when that has changed
///              access_log         to its back end, when the log has changed
///              listening_change   last, when the supervisor has its answer, to its acceptors
///   to_log     log_change         before the back ends are told; config waits until all of them have told the log
///
/// Promise: a core is sent nothing of a configuration that has mistakes, or for which a root, an address, a log or
/// memory cannot be had: config first makes everything that it sends. New addresses are opened when the file systems of
/// the logs have answered, so no client waits there for a log. config waits at most 10 s for the file system of a log,
/// and not at all when the server ends. Deadlock: a client of parking, of cache_control, of the back ends, of the log,
/// of the acceptors and, within these 10 s, of the log_openers that it starts; a server to the supervisor.
csp::process config(settings in_force, own_command command, steward_line steward, csp::in<reload_request> requests,
                    csp::in<stop> ending, std::vector<configured_core> to_cores, csp::bridge_out<log_change> to_log);

}  // namespace server
