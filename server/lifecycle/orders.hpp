// SPDX-License-Identifier: MIT
//
// The orders that the processes of the control socket send to the supervisor.
#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>
#include <variant>
#include <vector>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "io/socket.hpp"
#include "server/lifecycle/config.hpp"
#include "server/messages/listening.hpp"

namespace server {

/// Stop the server. The client waits until its connection is closed, which is the last thing that the server does.
struct end_server {
    io::socket client;
};

/// A duplicate of each listening socket, for a successor.
struct loan {
    std::vector<listening> sockets;
    std::chrono::milliseconds patience{};  // how long the successor may take to end, if the attempt is cancelled
    std::string problem;                   // if not empty, why there are no sockets
};
struct lend_sockets {
    csp::out<loan> answer = {};
};

/// The successor serves, so this server drains and ends. The answer confirms it.
struct agreed {};
struct handed_over {
    pid_t to = 0;
    csp::out<agreed> answer = {};
};

/// Reload the configuration.
struct reload_order {
    std::string who;  // for the log
    csp::out<reload_answer> answer = {};
};

/// Asks what is served, in lines for `occwserv status`.
struct ask_what_is_served {
    csp::out<std::string> answer = {};
};

using supervisor_order = std::variant<end_server, lend_sockets, handed_over, reload_order, ask_what_is_served>;
static_assert(csp::mobile<supervisor_order>);

}  // namespace server
