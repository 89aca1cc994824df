// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "csp/core.hpp"
#include "server/page.hpp"
#include "server/settings.hpp"

namespace server {

/// The pages in memory, by path. When they outgrow the memory given to them, those asked for least recently go.
class kept_pages {
  public:
    explicit kept_pages(cache_rules rules) : rules_(rules) {}

    struct answer {
        frozen_page page;    // may be none
        bool fresh = false;  // compared with the file lately enough
    };
    /// A page that is due for a comparison is handed out as not fresh once; until that look is reported, or should
    /// have been, others get it as fresh: one worker goes to the file, not all of them.
    [[nodiscard]] answer find(std::string_view path, csp::time_point now);

    /// The page of `path` is now this one; none: it has none to keep.
    void put(std::string&& path, frozen_page page, csp::time_point now);

    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return pages_.size(); }

  private:
    struct entry {
        std::string path;
        frozen_page page;
        csp::time_point stale_from;
    };
    using recency = std::list<entry>;  // the most recent first

    [[nodiscard]] static std::size_t bytes_of(const entry& e);
    void remove(recency::iterator e);

    cache_rules rules_;
    recency pages_;
    std::unordered_map<std::string_view, recency::iterator> by_path_;  // keys point into the entries
    std::size_t bytes_ = 0;
};

}  // namespace server
