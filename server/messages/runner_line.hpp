// SPDX-License-Identifier: MIT
//
// How the server asks its runner (server/sandbox/runner.hpp) to start programs.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "io/child.hpp"
#include "io/descriptor.hpp"
#include "io/error.hpp"
#include "io/file.hpp"
#include "server/messages/runner_messages.hpp"

namespace server {

/// A program to be started for a request.
struct program_order {
    // Whose rules apply: the index of the site in all_sites(), and that of the route in its routes.
    std::uint32_t site = 0;
    std::uint32_t route = 0;
    // For a directory of programs, the path of one beneath it; for an interpreter, the absolute path of the file, which
    // SCRIPT_FILENAME has too. Empty for a route with a single program.
    std::string script;
    std::vector<std::string> environment;  // "NAME=value"; see may_have()
    // Its standard streams. Without `in` it reads from /dev/null.
    io::descriptor in = {};
    io::descriptor out = {};
    io::descriptor err = {};
};

static_assert(csp::mobile<program_order>);

// `runner` is the server's end of the line to a runner, which a policy has (policy::programs). Answers do not mix,
// since each request brings a line for its own.

/// Starts a program, which leads a process group of its own. Whatever of that group is left when the child is dropped
/// is killed, also after the program itself has ended.
[[nodiscard]] csp::step<std::expected<io::child, start_failure>> start_program(const io::descriptor& runner,
                                                                               program_order order, io::deadline until);
/// Opens an unnamed file in the state directory.
[[nodiscard]] csp::step<std::expected<io::file, std::string>> open_spool(const io::descriptor& runner,
                                                                         io::deadline until = io::no_deadline);

}  // namespace server
