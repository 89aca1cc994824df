// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/signals.hpp"
#include "server/configuration/policy.hpp"
#include "server/lifecycle/successor.hpp"
#include "server/log/log.hpp"
#include "server/messages/listening.hpp"
#include "server/sandbox/steward.hpp"
#include "server/service/control_socket.hpp"
#include "server/service/inherited.hpp"
#include "server/service/manager.hpp"

namespace server {

/// What is opened before the network runs, so that the start fails with a message if something cannot be opened.
struct opened {
    std::vector<std::vector<listening>> listeners;  // for each core, one for each address
    std::vector<policy> policies;                   // the same for each core
    log_files logs;
    std::vector<log_lines> first_lines;  // of the error log
    control_socket control_at;           // empty if there is none
    own_command command;
    running_steward steward;
    std::string engine;            // a line about the I/O engine
    std::string sandbox;           // a line about the sandbox
    std::vector<listening> spare;  // a duplicate of each listener, for a successor
    io::signal_set signals;        // SIGTERM, SIGINT, SIGHUP, SIGUSR1
    service_manager manager;
    std::optional<watchdog_order> watchdog;
    predecessor old_server;
};

}  // namespace server
