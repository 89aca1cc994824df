// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <string>
#include <sys/types.h>
#include <vector>

#include "csp/process.hpp"
#include "io/socket.hpp"
#include "server/service/inherited.hpp"

namespace server {

/// How this server was started, so that it can be again.
struct own_command {
    std::string program;                 // the file that runs, or by now its successor under the same name
    std::vector<std::string> arguments;  // with argv[0]
    who_chooses_addresses addresses = who_chooses_addresses::configuration;
};
[[nodiscard]] own_command how_we_were_started(int count, const char* const* words, who_chooses_addresses addresses);

/// Starts a server that takes over the sockets, and waits until it says that it serves; yields its number. An error, as
/// a sentence, when it cannot: then nothing of it is left.
[[nodiscard]] csp::step<std::expected<pid_t, std::string>> start_successor(own_command command,
                                                                           std::vector<listening> sockets);

}  // namespace server
