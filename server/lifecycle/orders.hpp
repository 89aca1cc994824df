// SPDX-License-Identifier: MIT
//
// What the control socket's processes say to the supervisor.
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

/// The server is to end. Who asked holds on until it has: `witness` is closed last.
struct end_server {
    io::socket witness;
};

/// Another of each listening socket, for a successor.
struct loan {
    std::vector<listening> sockets;
    std::chrono::milliseconds patience{};  // how long a server may take to end
    std::string problem;                   // why there are no sockets
};
struct lend_sockets {
    csp::out<loan> answer = {};
};

/// The successor serves, so the server is to end, with patience for its clients. The answer says that it will.
struct agreed {};
struct handed_over {
    pid_t to = 0;
    csp::out<agreed> answer = {};
};

/// The configuration is to be read again.
struct reload_order {
    std::string who;  // for the log
    csp::out<reload_answer> answer = {};
};

/// What is served at present, as lines.
struct ask_what_is_served {
    csp::out<std::string> answer = {};
};

using supervisor_order = std::variant<end_server, lend_sockets, handed_over, reload_order, ask_what_is_served>;
static_assert(csp::mobile<supervisor_order>);

}  // namespace server
