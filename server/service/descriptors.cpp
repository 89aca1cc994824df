// SPDX-License-Identifier: MIT
#include "server/service/descriptors.hpp"

#include <algorithm>
#include <set>
#include <sys/resource.h>
#include <utility>

#include <fmt/core.h>

#include "server/configuration/policy.hpp"

namespace server {
namespace {

std::size_t roots_of(const settings& s)
{
    std::set<std::string> roots;
    for (const site& each : all_sites(s)) roots.insert(each.files.root);
    return roots.size();
}

/// The descriptors that the server always has open.
std::size_t standing(const settings& s)
{
    constexpr std::size_t of_an_engine = 2;   // a ring or an epoll set, and its bell
    constexpr std::size_t of_the_whole = 12;  // standard streams, logs, the control socket, signals, a few to spare
    return of_the_whole + (s.workers + std::size_t{1}) * of_an_engine +
           s.workers * (2 * s.listen.size() + roots_of(s));  // each listening socket twice: one to pass on
}

/// The descriptors for commands: a reload opens the roots a second time, and an upgrade duplicates the listening
/// sockets.
std::size_t for_the_operator(const settings& s)
{
    constexpr std::size_t sessions = 2;
    constexpr std::size_t of_an_upgrade = 8;
    constexpr std::size_t logs = 2;
    return sessions + logs + std::max(of_an_upgrade + s.workers * s.listen.size(), s.workers * roots_of(s));
}

}  // namespace

std::expected<shared_descriptors, std::string> share_descriptors(const settings& s, std::size_t most)
{
    constexpr std::size_t least_for_files = 4;  // of a core
    constexpr std::size_t most_for_files = 512;
    constexpr std::size_t accepted_at_once = 1024;    // by the kernel, before it can be told to stop
    constexpr std::size_t worth_accepting_so = 2048;  // connections of a core
    const std::size_t addresses = s.listen.size();
    const std::size_t kept = standing(s) + for_the_operator(s);
    const std::size_t least_of_core = least_for_files + 2 * addresses + 1;
    const std::size_t least = kept + s.workers * least_of_core;
    if (most < least) {
        return std::unexpected(
            fmt::format("at most {} files may be open (RLIMIT_NOFILE), and {} are needed for {} worker{}, {} address{} "
                        "and {} root{}: "
                        "raise the limit, or configure fewer workers",
                        most, least, s.workers, s.workers == 1 ? "" : "s", addresses, addresses == 1 ? "" : "es",
                        roots_of(s), roots_of(s) == 1 ? "" : "s"));
    }
    const std::size_t all_of_core = (most - kept) / s.workers;
    const auto open_files = static_cast<unsigned>(
        std::min({std::size_t{s.cache.open_files}, all_of_core / 16, all_of_core - least_of_core}));
    const std::size_t of_core = all_of_core - open_files;
    const std::size_t for_addresses = 2 * addresses;  // one accepted in advance, and one in the acceptor's hands
    const std::size_t for_files = std::clamp(of_core / 4, least_for_files, most_for_files);
    const std::size_t rest = of_core - std::min(for_files, of_core - for_addresses - 1);
    const std::size_t one_by_one = rest - for_addresses;
    const std::size_t many_at_once = rest - std::min(rest, accepted_at_once * addresses);
    if (many_at_once >= std::min(s.connections, worth_accepting_so)) {
        return shared_descriptors{std::min(s.connections, many_at_once), open_files, descriptors::plentiful};
    }
    return shared_descriptors{std::min(s.connections, one_by_one), open_files, descriptors::scarce};
}

std::expected<std::optional<std::string>, std::string> fit_to_descriptors(settings& s)
{
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return std::nullopt;
    const auto shared = share_descriptors(s, files.rlim_cur);
    if (!shared) return std::unexpected(shared.error());
    s.descriptors = shared->for_new_ones;
    s.cache.open_files = shared->open_files;
    const std::size_t wanted = std::exchange(s.connections, shared->connections);
    if (wanted == s.connections) return std::nullopt;
    return fmt::format(
        "limits.connections = {} is reduced to {} on each core, because at most {} files may be open "
        "(RLIMIT_NOFILE)",
        wanted, s.connections, files.rlim_cur);
}

}  // namespace server
