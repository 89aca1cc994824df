// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "io/descriptor.hpp"
#include "server/service/privileges.hpp"

namespace server {

/// A program for which a job of the steward gives up its place, and everything that is set between fork and exec.
struct launch {
    std::string program;                   // a path; PATH is not searched
    std::vector<std::string> arguments;    // argv[0] included
    std::vector<std::string> environment;  // "NAME=value"
    // Ours, and its number in the program, above the standard streams or one of them; all other descriptors are closed.
    // Standard streams that are not listed stay.
    std::vector<std::pair<io::descriptor, int>> descriptors;
    std::string directory = {};                       // working directory; empty: ours
    std::optional<user_account> user = {};            // to switch to, for good
    std::vector<std::pair<int, rlimit>> limits = {};  // RLIMIT_CPU and so on
    int niceness = 0;                                 // added to ours
    int death_signal = 0;                             // for the program when the steward ends; 0 is none
    enum class group : bool { ours, its_own } process_group = group::ours;
};

/// Becomes the program: same process, other program. Returns only if that fails, with the reason. All signals have
/// their default effect in the program, and none is blocked.
[[nodiscard]] std::string become(launch what);

}  // namespace server
