// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <sys/types.h>
#include <vector>

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "io/child.hpp"
#include "io/socket.hpp"
#include "server/messages/listening.hpp"
#include "server/messages/stop.hpp"
#include "server/service/inherited.hpp"

namespace server {

/// How this server was started, so that it can be again.
struct own_command {
    std::string program;                 // the file that runs, or by now its successor under the same name
    std::vector<std::string> arguments;  // with argv[0]
    who_chooses_addresses addresses = who_chooses_addresses::configuration;
};
[[nodiscard]] own_command how_we_were_started(int count, const char* const* words, who_chooses_addresses addresses);

/// A new server that was given our sockets. It is killed when this is destroyed, unless the process was let go.
struct successor {
    io::child process;
    io::socket line;  // on which it reports
    std::string said = {};
};

/// Starts it.
[[nodiscard]] csp::step<std::expected<successor, std::string>> start_successor(own_command command,
                                                                               std::vector<listening> sockets);

/// Waits until it has said that it serves, and then has served for a moment. If this server had left by then, a new one
/// that dies right after its start would be an outage. An error, as a sentence, also when `cancelled` is closed
/// meanwhile.
[[nodiscard]] csp::step<std::expected<void, std::string>> try_successor(successor& s, csp::in<stop>& cancelled);

/// Tells it to take our place, and waits until it has taken the control socket. Errors as above; the new server may
/// have taken the control socket all the same.
[[nodiscard]] csp::step<std::expected<void, std::string>> give_place(successor& s, csp::in<stop>& cancelled);

/// Asks it to end, if there is patience for that, then kills it, and waits until it has ended, but not for ever.
[[nodiscard]] csp::step<void> end_successor(successor& s, std::chrono::milliseconds patience);

}  // namespace server
