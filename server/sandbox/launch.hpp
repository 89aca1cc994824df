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

/// A program that a job of the steward executes, and everything that is set between fork and exec.
struct launch {
    std::string program;                   // a path; PATH is not searched
    std::vector<std::string> arguments;    // argv[0] included
    std::vector<std::string> environment;  // "NAME=value"
    // Our descriptor, and its number in the program. Standard streams that are not listed stay; all other descriptors
    // are closed.
    std::vector<std::pair<io::descriptor, int>> descriptors;
    std::string directory = {};                       // working directory; empty: ours
    std::optional<user_account> user = {};            // to switch to, for good
    std::vector<std::pair<int, rlimit>> limits = {};  // RLIMIT_CPU and so on
    int niceness = 0;                                 // added to ours
    int death_signal = 0;                             // sent to the program when the steward ends; 0: none
    enum class group : bool { ours, its_own } process_group = group::ours;
};

/// Executes the program in this process (execve(2)). Returns only if that fails, with the reason. In the program all
/// signals have their default effect, and none is blocked.
[[nodiscard]] std::string become(launch what);

}  // namespace server
