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
#include "server/messages/steward_line.hpp"
#include "server/messages/stop.hpp"

namespace server {

/// A new server that has inherited the listening sockets. The destructor kills it, unless `process` was let go.
struct successor {
    io::child process;
    io::socket line;  // by which it reports
    std::string received = {};
};

/// Has the steward start a new server, which inherits `sockets`.
[[nodiscard]] csp::step<std::expected<successor, std::string>> start_successor(const steward_line& steward,
                                                                               std::string program,
                                                                               std::vector<listening> sockets);

/// Waits until the new server has reported that it serves, and then for another second, in which it must not exit: a
/// server that crashes right after its start must not replace this one. An error is a sentence; it is one too if
/// `cancelled` is closed meanwhile.
[[nodiscard]] csp::step<std::expected<void, std::string>> try_successor(successor& s, csp::in<stop>& cancelled);

/// Tells the new server to take over, and waits until it has the control socket. Errors as above; even then, the new
/// server may have taken the control socket.
[[nodiscard]] csp::step<std::expected<void, std::string>> give_place(successor& s, csp::in<stop>& cancelled);

/// Sends SIGTERM and waits for `patience`, if that is not zero; then kills the new server and waits up to five seconds.
[[nodiscard]] csp::step<void> end_successor(successor& s, std::chrono::milliseconds patience);

}  // namespace server
