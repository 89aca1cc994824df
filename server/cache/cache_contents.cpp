// SPDX-License-Identifier: MIT
#include "server/cache/cache_contents.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace server {

// How the contents are organized. `entries_` is a fixed array of 2 * slots entries, which are referred to by number;
// the unused ones are in `free_entries_`. `by_name_` finds an entry by site and path. An entry with a slot belongs to
// the upper half: its page is in the cache process of that number. `in_slot_` leads back from a slot to its entry.
//
// `kept_` and `competing_` hold the entry numbers of the two halves, sorted by rank: by count, and for equal counts the
// later request first. A position is found by binary search. The entry must therefore be removed from its ranking
// before its count changes, and inserted again afterwards, as raise() does.
//
// A page that is looked up for the first time gets a competing entry with count 1; if that half is full, its last entry
// is forgotten. Each further look-up raises the count and lets the page compete: displaced_by() walks the kept pages
// from the lowest rank upwards until there are a slot and enough memory, and gives up at the first page whose count is
// not lower. Displaced pages keep their counts and go to the competing half. `bytes_` is the memory for the paths of
// all entries and for the pages of the upper half.

cache_contents::cache_contents(std::uint32_t slots, slot_number first, std::size_t memory,
                               std::chrono::milliseconds ageing)
    : slots_(slots), first_(first), memory_(memory), ageing_(ageing), entries_(2 * std::size_t{slots}), in_slot_(slots)
{
    // Reserve all the room that they can need, so that counting and ranking never allocate.
    free_entries_.reserve(entries_.size());
    free_slots_.reserve(slots_);
    kept_.reserve(slots_ + std::size_t{1});
    competing_.reserve(slots_ + std::size_t{1});
    forget_all();
}

void cache_contents::forget_all() noexcept
{
    by_name_.clear();
    kept_.clear();
    competing_.clear();
    free_entries_.clear();
    free_slots_.clear();
    bytes_ = 0;
    for (entry_number e = 2 * slots_; e-- > 0;) {
        entries_[e] = {};
        free_entries_.push_back(e);
    }
    for (slot_number s = slots_; s-- > 0;) free_slots_.push_back(first_ + s);
}

bool cache_contents::ranks_before(entry_number a, entry_number b) const
{
    const entry& x = entries_[a];
    const entry& y = entries_[b];
    return x.count != y.count ? x.count > y.count : x.since > y.since;
}

void cache_contents::insert(ranking& r, entry_number e)
{
    r.insert(std::ranges::lower_bound(r, e, [this](auto a, auto b) { return ranks_before(a, b); }), e);
}

void cache_contents::remove(ranking& r, entry_number e)
{
    r.erase(std::ranges::lower_bound(r, e, [this](auto a, auto b) { return ranks_before(a, b); }));
}

bool cache_contents::is_of(const entry& e, const looked_up& look) { return e.site == look.site && e.path == look.path; }

void cache_contents::raise(entry_number e, std::uint32_t by)
{
    ranking& half = half_of(entries_[e]);
    remove(half, e);
    entries_[e].count = std::min(slots_, entries_[e].count + std::min(slots_, by));
    entries_[e].since = ++arrivals_;
    insert(half, e);
}

void cache_contents::age(csp::time_point now)
{
    if (aged_at_ == csp::time_point()) aged_at_ = now;
    if (now - aged_at_ < ageing_) return;
    const auto periods = std::min<std::int64_t>((now - aged_at_) / ageing_, 31);
    aged_at_ = now;
    for (ranking* half : {&kept_, &competing_}) {
        for (const entry_number e : *half) entries_[e].count = std::max(1U, entries_[e].count >> periods);
        // Counts that differed may be equal now, so the order may change.
        std::ranges::sort(*half, [this](auto a, auto b) { return ranks_before(a, b); });
    }
}

void cache_contents::count(const recent_hits& hits, csp::time_point now)
{
    for (const auto& [slot, times] : hits) {
        if (slot < first_ || slot >= first_ + slots_) continue;
        // Hits for a page that was evicted meanwhile must not count for the page that took its slot.
        const entry_number e = in_slot_[slot - first_];
        if (entries_[e].slot == slot) raise(e, times);
    }
    age(now);
}

std::optional<cache_contents::entry_number> cache_contents::begin(const looked_up& look)
{
    while (!competing_.empty() && (competing_.size() == slots_ || bytes_ + look.path.size() > memory_)) {
        forget(competing_.back());
    }
    if (free_entries_.empty() || bytes_ + look.path.size() > memory_) return std::nullopt;
    const entry_number e = free_entries_.back();
    free_entries_.pop_back();
    entries_[e] = {
        .site = look.site, .path = look.path, .path_hash = look.path_hash, .since = ++arrivals_, .made_from = {}};
    by_name_.emplace(page_name{look.site, entries_[e].path}, e);
    bytes_ += look.path.size();
    insert(competing_, e);
    return e;
}

void cache_contents::forget(entry_number e)
{
    remove(competing_, e);
    bytes_ -= entries_[e].path.size();
    by_name_.erase({entries_[e].site, entries_[e].path});
    entries_[e].path = {};
    free_entries_.push_back(e);
}

std::optional<std::vector<cache_contents::entry_number>> cache_contents::displaced_by(std::uint32_t count,
                                                                                      std::size_t bytes) const
{
    std::vector<entry_number> displaced;
    std::size_t remaining = bytes_;
    const auto enough = [&] { return remaining + bytes <= memory_ && free_slots_.size() + displaced.size() > 0; };
    for (const entry_number e : std::views::reverse(kept_)) {
        if (enough()) break;
        if (entries_[e].count >= count) return std::nullopt;
        displaced.push_back(e);
        remaining -= entries_[e].page_bytes;
    }
    if (!enough()) return std::nullopt;
    return displaced;
}

/// Evicts a page; its entry moves to the competing half.
change cache_contents::release(entry_number number)
{
    entry& e = entries_[number];
    remove(kept_, number);
    bytes_ -= std::exchange(e.page_bytes, 0);
    const slot_number slot = std::exchange(e.slot, none);
    free_slots_.push_back(slot);
    insert(competing_, number);
    if (competing_.size() > slots_) forget(competing_.back());
    return {.slot = slot, .path_hash = std::nullopt, .to = std::make_unique<assignment>()};
}

change cache_contents::keep(entry_number number, looked_up look)
{
    entry& e = entries_[number];
    if (e.slot == none) {
        remove(competing_, number);
        e.slot = free_slots_.back();
        free_slots_.pop_back();
        in_slot_[e.slot - first_] = number;
        insert(kept_, number);
    }
    bytes_ -= e.page_bytes;
    const bool same = e.made_from == look.found->made_from.front();
    e.made_from = look.found->made_from.front();
    // If the page is unchanged, the cache process keeps the copy that has the compressed texts; so count the larger.
    e.page_bytes = same ? std::max(e.page_bytes, look.found->bytes()) : look.found->bytes();
    bytes_ += e.page_bytes;
    return {.slot = e.slot,
            .path_hash = e.path_hash,
            .to = std::make_unique<assignment>(std::move(look.path), std::move(look.found), look.when, look.site)};
}

void cache_contents::look_again(entry_number e, looked_up&& look, std::vector<change>& changes)
{
    // A page that has grown must compete again, and one that no longer exists is evicted.
    const std::size_t before = entries_[e].page_bytes;
    const std::size_t grown = look.found && look.found->bytes() > before ? look.found->bytes() - before : 0;
    if (!look.found || bytes_ + grown > memory_) {
        changes.push_back(release(e));
        if (!look.found && is_of(entries_[e], look)) forget(e);
        if (look.found && is_of(entries_[e], look)) compete(e, std::move(look), changes);
        return;
    }
    changes.push_back(keep(e, std::move(look)));
}

void cache_contents::compete(entry_number e, looked_up&& look, std::vector<change>& changes)
{
    const auto displaced = displaced_by(entries_[e].count, look.found->bytes());
    if (!displaced) return;
    for (const entry_number other : *displaced) changes.push_back(release(other));
    changes.push_back(keep(e, std::move(look)));
}

std::vector<change> cache_contents::decide(looked_up&& look)
{
    std::vector<change> changes;
    const auto known = by_name_.find({look.site, look.path});
    if (known == by_name_.end()) {
        if (!look.found) return changes;
        if (const auto e = begin(look)) compete(*e, std::move(look), changes);
    } else if (const entry_number e = known->second; entries_[e].slot != none) {
        look_again(e, std::move(look), changes);
    } else if (!look.found) {
        forget(e);
    } else {
        raise(e, 1);
        compete(e, std::move(look), changes);
    }
    return changes;
}

std::vector<change> cache_contents::decide(cache_room room)
{
    std::vector<change> changes;
    memory_ = room.bytes;
    while (bytes_ > memory_ && !competing_.empty()) forget(competing_.back());
    while (bytes_ > memory_) {
        const entry_number last = kept_.back();
        changes.push_back(release(last));
        forget(last);
    }
    return changes;
}

cache_view cache_contents::view(std::size_t names) const
{
    const auto first_of = [&](const ranking& half) {
        std::vector<ranked_page> first;
        for (const entry_number e : half | std::views::take(names)) {
            first.push_back({entries_[e].path, entries_[e].count, entries_[e].page_bytes});
        }
        return first;
    };
    return {.kept = kept_.size(),
            .competing = competing_.size(),
            .bytes = bytes_,
            .most_pages = slots_,
            .most_bytes = memory_,
            .first_kept = first_of(kept_),
            .first_competing = first_of(competing_)};
}

std::optional<change> cache_contents::decide(compressed&& text)
{
    const auto known = by_name_.find({text.site, text.path});
    if (known == by_name_.end()) return std::nullopt;
    entry& e = entries_[known->second];
    const std::size_t bytes = text.gzip.size() + text.brotli.size() + text.zstd.size();
    if (e.slot == none || e.made_from != text.of || bytes_ + bytes > memory_) return std::nullopt;
    e.page_bytes += bytes;
    bytes_ += bytes;
    return change{.slot = e.slot, .path_hash = e.path_hash, .to = std::make_unique<compressed>(std::move(text))};
}

}  // namespace server
