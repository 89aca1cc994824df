// SPDX-License-Identifier: MIT
//
// The sandbox limits what an attacker who runs code in the server can do. It is closed in two steps, before and after
// the threads are made: first files, by Landlock, which later threads inherit; then system calls, by seccomp, when all
// threads and rings exist. Rings are restricted where they are made (io/ring.hpp). The steward (steward.hpp) does what
// the sandbox forbids to the server.
#pragma once

#include <expected>
#include <string>

#include "io/engine.hpp"
#include "server/configuration/settings.hpp"
#include "server/service/manager.hpp"

namespace server {

/// A few words for the line about the sandbox. An error is a sentence, and ends the start.
using sandbox_words = std::expected<std::string, std::string>;

/// REQUIRES: everything that is opened at the start is open, and this thread is the only one.
[[nodiscard]] sandbox_words close_files(const settings& s, const service_manager& manager);

/// REQUIRES: the threads and engines of all cores are made.
[[nodiscard]] sandbox_words close_system_calls(const sandbox_rules& rules, io::engine_choice engine);

/// The line for the log and for `status`.
[[nodiscard]] std::string sandbox_line(const std::string& files, const std::string& system_calls,
                                       io::engine_choice engine);

}  // namespace server
