// SPDX-License-Identifier: MIT
//
// The body of a request on its way to the standard input of a program.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "io/socket.hpp"
#include "server/messages/stop.hpp"
#include "server/respond/request_body.hpp"

namespace server {

/// What a program is to read: bytes that are here already, and then the rest of a body.
struct program_input {
    std::string first;
    std::optional<request_body> body = {};
};

/// How the feeding ended.
struct fed_body {
    enum class result : std::uint8_t {
        all,
        not_read,    // the program has closed its standard input, or was ended
        stuck,       // the program has not read for too long
        body_failed  // see `why`
    };
    result how = result::all;
    body_failure why = {};
    std::optional<request_body> body = {};  // with what was not read
    std::string first = {};                 // after `stuck`: bytes that precede `body`
    // After `stuck` and `body_failed`, the pipe to the program. Close it only when the program has ended: otherwise the
    // program would take the end of its input for the end of the body.
    io::socket input = {};
};
static_assert(csp::mobile<program_input> && csp::mobile<fed_body>);

/// Writes the input to a program while cgi_page reads what the program writes, so that neither waits for the other.
///
///   until   stop       never written: cgi_page closes it when the program needs no more
///   told    fed_body   once, at the end
///
/// Promise: reads from the client only as fast as the program reads. It ends when all is written, when the program
/// closes its end, when it has not read for `patience`, when the client fails, and when `until` is closed. Deadlock: a
/// client of the cgi_page that forked it, which takes `told` at any time but while it writes to its client, which has a
/// time limit.
csp::process body_feeder(program_input input, io::socket to_program, std::chrono::milliseconds patience,
                         csp::in<stop> until, csp::out<fed_body> told);

}  // namespace server
