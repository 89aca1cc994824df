// SPDX-License-Identifier: MIT
#include "server/cache/kept_pages.hpp"

#include <utility>

namespace server {

std::size_t kept_pages::bytes_of(const entry& e)
{
    constexpr std::size_t nodes = sizeof(entry) + 8 * sizeof(void*);  // of the list and the table, roughly
    return nodes + e.path.size() + sizeof(page) + e.page->fields.lines().size() + e.page->content.size();
}

void kept_pages::remove(recency::iterator e)
{
    bytes_ -= bytes_of(*e);
    by_path_.erase(e->path);
    pages_.erase(e);
}

kept_pages::answer kept_pages::find(std::string_view path, csp::time_point now)
{
    const auto known = by_path_.find(path);
    if (known == by_path_.end()) return {};
    const auto e = known->second;
    if (e != pages_.begin()) pages_.splice(pages_.begin(), pages_, e);
    if (now < e->stale_from) return {e->page, true};
    e->stale_from = now + rules_.freshness / 4;
    return {e->page, false};
}

void kept_pages::put(std::string&& path, frozen_page page, csp::time_point now)
{
    if (const auto known = by_path_.find(path); known != by_path_.end()) remove(known->second);
    if (!page) return;
    // With the quarter that find() grants while a look is under way, no page is older than `freshness`.
    pages_.push_front({std::move(path), std::move(page), now + rules_.freshness * 3 / 4});
    by_path_.emplace(pages_.front().path, pages_.begin());
    bytes_ += bytes_of(pages_.front());
    while (bytes_ > rules_.memory && !pages_.empty()) remove(std::prev(pages_.end()));
}

}  // namespace server
