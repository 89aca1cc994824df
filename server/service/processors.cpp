// SPDX-License-Identifier: MIT
#include "server/service/processors.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <string_view>

namespace server {
namespace {

namespace fs = std::filesystem;

/// The lowest quota of `group` and the groups above it, up to `mount`. `read` returns the quota of one group, if it has
/// one.
template <class Read>
std::optional<double> least_quota(const fs::path& mount, const fs::path& group, Read read)
{
    std::optional<double> least;
    // In a container the path may be one of the host, and only the mount itself exists. So this does not stop at a
    // group that is missing.
    for (fs::path at = mount / group.relative_path();; at = at.parent_path()) {
        const std::optional<double> here = read(at);
        if (here && (!least || *here < *least)) least = here;
        if (at == mount || !at.has_relative_path()) return least;
    }
}

std::optional<double> quota_v2(const fs::path& group)
{
    std::ifstream file(group / "cpu.max");  // "200000 100000", or "max 100000"
    double quota = 0;
    double period = 0;
    if (!(file >> quota >> period) || period <= 0) return std::nullopt;
    return quota / period;
}

std::optional<double> quota_v1(const fs::path& group)
{
    double quota = 0;
    double period = 0;
    if (!(std::ifstream(group / "cpu.cfs_quota_us") >> quota) || quota <= 0) return std::nullopt;
    if (!(std::ifstream(group / "cpu.cfs_period_us") >> period) || period <= 0) return std::nullopt;
    return quota / period;
}

bool lists_cpu(std::string_view controllers)
{
    while (!controllers.empty()) {
        const auto comma = std::min(controllers.find(','), controllers.size());
        if (controllers.substr(0, comma) == "cpu") return true;
        controllers.remove_prefix(std::min(comma + 1, controllers.size()));
    }
    return false;
}

}  // namespace

std::optional<unsigned> quota_of_cgroup(const std::string& tree, const std::string& membership)
{
    std::optional<double> least;
    std::ifstream file(membership);
    for (std::string line; std::getline(file, line);) {  // "0::/system.slice/x" or "4:cpu,cpuacct:/x"
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string group = line.substr(second + 1);
        std::optional<double> quota;
        if (controllers.empty()) quota = least_quota(tree, group, quota_v2);
        if (lists_cpu(controllers)) quota = least_quota(fs::path(tree) / "cpu", group, quota_v1);
        if (quota && (!least || *quota < *least)) least = quota;
    }
    if (!least) return std::nullopt;
    return static_cast<unsigned>(std::clamp(std::ceil(*least), 1.0, 1024.0));
}

unsigned usable_processors()
{
    cpu_set_t allowed;
    const bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    const unsigned processors = known ? static_cast<unsigned>(std::max(1, CPU_COUNT(&allowed))) : 1;
    return std::min(processors, quota_of_cgroup().value_or(processors));
}

}  // namespace server
