// SPDX-License-Identifier: MIT
//
// What the server and its runner (server/sandbox/runner.hpp), which read the configuration one after the other, must
// agree on.
#pragma once

#include <cstdint>
#include <span>

#include "io/descriptor.hpp"
#include "server/configuration/policy.hpp"
#include "server/configuration/settings.hpp"

namespace server {

/// Whether any route is answered by programs.
[[nodiscard]] bool has_programs(const settings& s);

/// A hash of everything that determines which programs may be started and how: the cgi_rules of all routes in order,
/// the directories of their sites, and the state directory.
[[nodiscard]] std::uint64_t digest_of_programs(const settings& s);

/// Gives each policy a duplicate of the line to the runner. False if no descriptor is left.
[[nodiscard]] bool share_runner(const io::descriptor& line, std::span<policy> policies);

}  // namespace server
