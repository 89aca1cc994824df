// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

namespace server {

/// How many processors this program can keep busy, at least 1: as many as its affinity mask allows, or as the CPU quota
/// of its cgroup is worth, whichever is less.
[[nodiscard]] unsigned usable_processors();

/// The CPU quota of this program's cgroup and those above it, in processors, rounded up; empty if there is none. Reads
/// versions 1 and 2 of cgroups. `tree` is where they are mounted, and `membership` the file that names those of the
/// program.
[[nodiscard]] std::optional<unsigned> quota_of_cgroup(const std::string& tree = "/sys/fs/cgroup",
                                                      const std::string& membership = "/proc/self/cgroup");

}  // namespace server
