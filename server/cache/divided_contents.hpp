// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "server/cache/cache_contents.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/cache.hpp"

namespace server {

/// The whole cache, in three divisions: pages in memory, large files that stay open, and paths that have no page. Each
/// division has its own cache processes and memory, so that no kind can displace another: a client that requests a
/// million missing paths competes only with other missing paths. A path is in one division at a time.
class divided_contents {
  public:
    explicit divided_contents(const cache_rules& rules);

    void count(const recent_hits& hits, csp::time_point now);
    [[nodiscard]] std::vector<change> decide(looked_up&& look);
    [[nodiscard]] std::optional<change> decide(compressed&& text)
    {
        return in(division::pages).decide(std::move(text));
    }
    [[nodiscard]] std::vector<change> decide(cache_room room);
    /// Removes all entries. Does not allocate. The caller must then clear the cache processes.
    void forget_all() noexcept
    {
        for (cache_contents& each : divisions_) each.forget_all();
    }
    /// The statistics of all divisions; only pages are named.
    [[nodiscard]] cache_view view(std::size_t names) const;

  private:
    enum class division : std::uint8_t { pages, open_files, absences };
    [[nodiscard]] static division division_of(const page& p);
    [[nodiscard]] cache_contents& in(division d) { return divisions_[static_cast<std::size_t>(d)]; }

    std::array<cache_contents, 3> divisions_;
};

}  // namespace server
