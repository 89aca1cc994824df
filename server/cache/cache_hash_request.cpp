// SPDX-License-Identifier: MIT
#include "server/cache/cache_hash_request.hpp"

#include <optional>
#include <unordered_map>
#include <utility>

#include "csp/alt.hpp"

namespace server {
namespace {

/// Maps the hash of a path to the slot that keeps the page.
class slot_table {
  public:
    explicit slot_table(std::size_t slots) : hashes_(slots) {}

    [[nodiscard]] std::optional<slot_number> find(std::uint64_t hash) const
    {
        const auto known = slots_.find(hash);
        if (known == slots_.end()) return std::nullopt;
        return known->second;
    }
    void set(slot_number slot, std::optional<std::uint64_t> hash)
    {
        // If two pages have the same hash, the later one has the entry, and keeps it when the other leaves.
        if (auto& old = hashes_[slot]; old && find(*old) == slot) slots_.erase(*old);
        hashes_[slot] = hash;
        if (hash) slots_.insert_or_assign(*hash, slot);
    }

  private:
    std::vector<std::optional<std::uint64_t>> hashes_;
    std::unordered_map<std::uint64_t, slot_number> slots_;
};

/// The hashes of recently requested paths for which nothing is kept. A fixed table: a hash replaces an older one in its
/// place.
class recent_paths {
  public:
    /// Records a path. Returns whether it was already recorded.
    [[nodiscard]] bool note(std::uint64_t hash)
    {
        return std::exchange(hashes_[hash % hashes_.size()], std::optional(hash)) == hash;
    }

  private:
    static constexpr std::size_t places = 1021;
    std::vector<std::optional<std::uint64_t>> hashes_ = std::vector<std::optional<std::uint64_t>>(places);
};

}  // namespace

csp::process cache_hash_request(csp::in<exchange> requests, csp::in<change> changes,
                                std::vector<csp::out<cache_work>> to_cache, csp::shared_out<exchange> to_static)
{
    slot_table table(to_cache.size());
    recent_paths others;
    for (;;) {
        const auto chosen = co_await csp::fair_alt(csp::while_open(changes), requests);

        if (chosen == requests) {
            auto request = co_await requests.input();
            if (!request) co_return;
            exchange x = std::move(*request);
            auto* const lookup = std::get_if<page_lookup>(&x->decided);
            const auto slot = lookup != nullptr ? table.find(x->asked.path_hash) : std::nullopt;
            if (lookup != nullptr && !slot) lookup->was_asked_for = others.note(x->asked.path_hash);
            if (slot && co_await to_cache[*slot].output(std::move(x))) continue;
            if (x && !co_await to_static.output(std::move(x))) co_return;
        } else {
            auto held = co_await changes.extended_input();
            if (!co_await to_cache[held->slot].output(std::move(held->to))) held->path_hash.reset();
            // If this fails, the page has no entry and its requests go to the static farm, which is correct but slower.
            csp::attempt([&] { table.set(held->slot, held->path_hash); });
        }
    }
}

}  // namespace server
