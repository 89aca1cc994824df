// SPDX-License-Identifier: MIT
//
// The sandbox: what a server that was taken over could still do. It closes in two turns, around the making of the
// threads: first files, by Landlock, which every thread inherits that is started later; then system calls, by seccomp,
// when all threads and rings are there. Rings are restricted where they are made (io/ring.hpp).
#pragma once

#include <expected>
#include <string>

#include "io/engine.hpp"
#include "server/configuration/settings.hpp"
#include "server/service/manager.hpp"

namespace server {

/// Words for the line about the sandbox, or an error as a sentence, which ends the start.
using sandbox_words = std::expected<std::string, std::string>;

/// REQUIRES: everything that is opened at the start is open, and this thread is the only one.
[[nodiscard]] sandbox_words close_files(const settings& s, const service_manager& manager);

/// REQUIRES: the threads and engines of all cores are made.
[[nodiscard]] sandbox_words close_system_calls(const sandbox_rules& rules, io::engine_choice engine);

/// The line for the log and for `status`.
[[nodiscard]] std::string sandbox_line(const std::string& files, const std::string& system_calls,
                                       io::engine_choice engine);

}  // namespace server
