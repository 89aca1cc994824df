// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/cache/protocols.hpp"
#include "server/observers/figures.hpp"
#include "server/settings.hpp"

namespace server {

/// Which pages are kept, and by which process. There are twice as many entries as cache processes: an upper half of
/// pages that are kept, and a lower half of pages that compete to be. Each has a count that rises by one for every
/// request and is halved with time, but stays between 1 and the number of cache processes: nobody is evicted through
/// age alone. A page enters when there is room, or when those it displaces have all been asked for less.
class cache_contents {
  public:
    /// So many cache processes, from `first` on, and so much memory.
    cache_contents(std::uint32_t slots, slot_number first, std::size_t memory, std::chrono::milliseconds ageing);

    [[nodiscard]] bool knows(const looked_up& look) const { return by_name_.contains({look.site, look.path}); }

    /// Counts the hits of the kept pages, and lets all counts age if it is time.
    void count(const recent_hits& hits, csp::time_point now);
    /// What is to change, in that order, after a worker has found this. It counts as a request if the page is not kept.
    [[nodiscard]] std::vector<change> decide(looked_up&& look);

    /// The same after a kept page's text has been compressed. Nothing if the page has left or changed meanwhile, or if
    /// there is no room.
    [[nodiscard]] std::optional<change> decide(compressed&& text);

    /// The same when the pages may have so much memory from now on: who are asked for least leave.
    [[nodiscard]] std::vector<change> decide(cache_room room);

    /// From now on nothing is kept, and nothing competes. Needs no memory. The caller still has to tell the cache
    /// processes.
    void forget_all() noexcept;

    /// All the figures, and the first so many of each half by name.
    [[nodiscard]] cache_view view(std::size_t names) const;

    struct figures {
        std::size_t kept = 0;
        std::size_t competing = 0;
        std::size_t bytes = 0;  // of all entries and the kept pages
    };
    [[nodiscard]] figures now() const { return {kept_.size(), competing_.size(), bytes_}; }

  private:
    using entry_number = std::uint32_t;
    struct entry {
        std::uint64_t site = 0;
        std::string path;
        std::uint64_t path_hash = 0;
        std::uint64_t since = 0;  // among equal counts the later stands higher
        file_identity made_from;  // of the kept page
        std::size_t page_bytes = 0;
        std::uint32_t count = 1;
        slot_number slot = none;
    };
    /// What a page is known by: the site's key, and the path, which points into the entry.
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
    /// Entries in the order of their counts, the highest first: the paper's "lookup array".
    using ranking = std::vector<entry_number>;
    static constexpr slot_number none = UINT32_MAX;

    [[nodiscard]] bool ranks_before(entry_number a, entry_number b) const;
    void insert(ranking& r, entry_number e);
    void remove(ranking& r, entry_number e);
    [[nodiscard]] ranking& half_of(const entry& e) { return e.slot == none ? competing_ : kept_; }
    [[nodiscard]] static bool is(const entry& e, const looked_up& look);
    void raise(entry_number e, std::uint32_t by);
    void age(csp::time_point now);

    /// Nothing: there is no room even for its name.
    std::optional<entry_number> begin(const looked_up& look);
    void forget(entry_number e);
    /// The kept pages that would have to go for one of so many bytes and this count; nothing if they may not.
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
