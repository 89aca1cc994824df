// SPDX-License-Identifier: MIT
#include "server/cache/divided_contents.hpp"

#include <iterator>
#include <ranges>
#include <utility>

namespace server {
namespace {

/// The memory for open files, and that for absences; each is in addition to the memory for pages.
constexpr std::size_t part_of(std::size_t memory) { return memory / 16; }

}  // namespace

divided_contents::divided_contents(const cache_rules& rules)
    : divisions_{cache_contents(rules.pages, 0, rules.memory, rules.ageing),
                 cache_contents(rules.open_files, rules.pages, part_of(rules.memory), rules.ageing),
                 cache_contents(rules.absences, rules.pages + rules.open_files, part_of(rules.memory), rules.ageing)}
{
}

divided_contents::division divided_contents::division_of(const page& p)
{
    if (p.nothing) return division::absences;
    return p.file ? division::open_files : division::pages;
}

void divided_contents::count(const recent_hits& hits, csp::time_point now)
{
    for (cache_contents& each : divisions_) each.count(hits, now);
}

std::vector<change> divided_contents::decide(looked_up&& look)
{
    std::vector<change> changes;
    cache_contents* const its_own = look.found ? &in(division_of(*look.found)) : nullptr;
    // First remove the path from the other divisions, which may have an earlier state of it.
    for (cache_contents& each : divisions_) {
        if (&each == its_own || !each.knows(look)) continue;
        std::ranges::move(
            each.decide(
                {.path = look.path, .path_hash = look.path_hash, .found = {}, .when = look.when, .site = look.site}),
            std::back_inserter(changes));
    }
    if (its_own != nullptr) std::ranges::move(its_own->decide(std::move(look)), std::back_inserter(changes));
    return changes;
}

cache_view divided_contents::view(std::size_t names) const
{
    const auto of = [&](division d, std::size_t named) { return divisions_[static_cast<std::size_t>(d)].view(named); };
    cache_view all = of(division::pages, names);
    const cache_view files = of(division::open_files, 0);
    const cache_view nothing = of(division::absences, 0);
    all.open_files = files.kept;
    all.most_open_files = files.most_pages;
    all.absences = nothing.kept;
    all.most_absences = nothing.most_pages;
    return all;
}

std::vector<change> divided_contents::decide(cache_room room)
{
    std::vector<change> changes = in(division::pages).decide(room);
    for (const division d : {division::open_files, division::absences}) {
        std::ranges::move(in(d).decide(cache_room{part_of(room.bytes)}), std::back_inserter(changes));
    }
    return changes;
}

}  // namespace server
