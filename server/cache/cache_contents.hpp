// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/configuration/settings.hpp"
#include "server/messages/cache.hpp"
#include "server/messages/figures.hpp"

namespace server {

/// Decides which pages the cache keeps, and in which cache process (paper, section 2.2). There are twice as many
/// entries as cache processes: an upper half of pages that are kept, and a lower half of pages that compete for a
/// place. Each entry has a count. It rises by one for every request and is halved as time passes, but stays between 1
/// and the number of cache processes, so that age alone evicts no page. A page enters the upper half if there is room,
/// or if all pages that it would displace have a lower count.
class cache_contents {
  public:
    /// Manages the cache processes [first, first + slots) and `memory` bytes. Counts are halved every `ageing`.
    cache_contents(std::uint32_t slots, slot_number first, std::size_t memory, std::chrono::milliseconds ageing);

    [[nodiscard]] bool knows(const looked_up& look) const { return by_name_.contains({look.site, look.path}); }

    /// Adds hits to the counts of the kept pages, and halves all counts if that is due.
    void count(const recent_hits& hits, csp::time_point now);
    /// The changes to make, in this order, after a worker looked up a page. This counts as a request if the page is not
    /// kept.
    [[nodiscard]] std::vector<change> decide(looked_up&& look);

    /// The same after the text of a kept page was compressed. Nullopt if the page was evicted or changed meanwhile, or
    /// if there is no room.
    [[nodiscard]] std::optional<change> decide(compressed&& text);

    /// The same after the memory limit changed. The pages with the lowest counts are evicted first.
    [[nodiscard]] std::vector<change> decide(cache_room room);

    /// Removes all entries. Does not allocate. The caller must then clear the cache processes.
    void forget_all() noexcept;

    /// The statistics, and the `names` highest-ranked pages of each half.
    [[nodiscard]] cache_view view(std::size_t names) const;

    struct figures {
        std::size_t kept = 0;
        std::size_t competing = 0;
        std::size_t bytes = 0;  // the paths of all entries, and the kept pages
    };
    [[nodiscard]] figures now() const { return {kept_.size(), competing_.size(), bytes_}; }

  private:
    using entry_number = std::uint32_t;
    struct entry {
        std::uint64_t site = 0;
        std::string path;
        std::uint64_t path_hash = 0;
        std::uint64_t since = 0;  // of equal counts the later ranks higher
        file_identity made_from;  // of the kept page
        std::size_t page_bytes = 0;
        std::uint32_t count = 1;
        slot_number slot = none;
    };
    /// The key of an entry: the key of the site, and the path, which points into the entry.
    struct page_name {
        std::uint64_t site = 0;
        std::string_view path;
        friend bool operator==(const page_name&, const page_name&) = default;
        struct hash {
            std::size_t operator()(const page_name& n) const
            {
                return std::hash<std::string_view>()(n.path) ^ static_cast<std::size_t>(n.site);
            }
        };
    };
    /// Entries sorted by count, highest first: the "lookup array" of the paper.
    using ranking = std::vector<entry_number>;
    static constexpr slot_number none = UINT32_MAX;

    [[nodiscard]] bool ranks_before(entry_number a, entry_number b) const;
    void insert(ranking& r, entry_number e);
    void remove(ranking& r, entry_number e);
    [[nodiscard]] ranking& half_of(const entry& e) { return e.slot == none ? competing_ : kept_; }
    [[nodiscard]] static bool is_of(const entry& e, const looked_up& look);
    void raise(entry_number e, std::uint32_t by);
    void age(csp::time_point now);

    /// Creates a competing entry. Nullopt if there is no room even for its path.
    std::optional<entry_number> begin(const looked_up& look);
    void forget(entry_number e);
    /// The kept pages to evict for a page with this count and size; nullopt if their counts do not allow it.
    [[nodiscard]] std::optional<std::vector<entry_number>> displaced_by(std::uint32_t count, std::size_t bytes) const;
    change release(entry_number e);
    change keep(entry_number e, looked_up look);
    void look_again(entry_number e, looked_up&& look, std::vector<change>& changes);
    void compete(entry_number e, looked_up&& look, std::vector<change>& changes);

    std::uint32_t slots_;
    slot_number first_;
    std::size_t memory_;
    std::chrono::milliseconds ageing_;
    std::vector<entry> entries_;
    std::vector<entry_number> free_entries_;
    std::vector<slot_number> free_slots_;
    std::vector<entry_number> in_slot_;
    std::unordered_map<page_name, entry_number, page_name::hash> by_name_;
    ranking kept_;
    ranking competing_;
    std::size_t bytes_ = 0;
    std::uint64_t arrivals_ = 0;
    csp::time_point aged_at_;
};

}  // namespace server
