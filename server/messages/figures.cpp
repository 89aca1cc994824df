// SPDX-License-Identifier: MIT
#include "server/messages/figures.hpp"

#include <fmt/core.h>

namespace server {

std::uint64_t latencies::percentile_us(double part) const
{
    std::uint64_t all = 0;
    for (const std::uint64_t n : counts_) all += n;
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(all) * part);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < buckets && all > 0; ++i) {
        below += counts_[i];
        if (below > wanted || below == all) return bound_us(i);
    }
    return 0;
}

tally& tally::operator+=(const tally& more)
{
    exchanges += more.exchanges;
    content_bytes += more.content_bytes;
    head_bytes += more.head_bytes;
    incomplete += more.incomplete;
    for (std::size_t i = 0; i < limit_hits.size(); ++i) limit_hits[i] += more.limit_hits[i];
    for (std::size_t i = 0; i < by_class.size(); ++i) by_class[i] += more.by_class[i];
    at_once += more.at_once;
    kept += more.kept;
    missed += more.missed;
    about_itself += more.about_itself;
    by_programs += more.by_programs;
    kept_alive += more.kept_alive;
    took += more.took;
    return *this;
}

parking_view& parking_view::operator+=(const parking_view& more)
{
    accepted += more.accepted;
    requests += more.requests;
    waits_for_room += more.waits_for_room;
    yielded += more.yielded;
    parked += more.parked;
    under_way += more.under_way;
    most += more.most;
    draining |= more.draining;
    return *this;
}

cache_view& cache_view::operator+=(const cache_view& more)
{
    kept += more.kept;
    competing += more.competing;
    bytes += more.bytes;
    most_pages += more.most_pages;
    most_bytes += more.most_bytes;
    open_files += more.open_files;
    most_open_files += more.most_open_files;
    absences += more.absences;
    most_absences += more.most_absences;
    return *this;
}

std::string to_string(const tally& t)
{
    return fmt::format("{} requests answered ({} 2xx, {} 3xx, {} 4xx, {} 5xx), {} bytes of content sent, {} cut short",
                       t.exchanges, t.by_class[1], t.by_class[2], t.by_class[3], t.by_class[4], t.content_bytes,
                       t.incomplete);
}

}  // namespace server
