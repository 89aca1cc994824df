// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

namespace server {

/// How many processors this program may keep busy: those that it may run on, or fewer if its cgroup's quota of
/// processor time is worth fewer.
[[nodiscard]] unsigned usable_processors();

/// The quota alone, rounded up; nothing if there is none. `tree` is where the cgroups are mounted, `membership` the
/// file that says in which this program is.
[[nodiscard]] std::optional<unsigned> quota_of_cgroup(const std::string& tree = "/sys/fs/cgroup",
                                                      const std::string& membership = "/proc/self/cgroup");

}  // namespace server
