// SPDX-License-Identifier: MIT
#include "server/policy.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <variant>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/core.h>

#include "http/list.hpp"

namespace server {
namespace {

/// Adds up what a site's pages depend on, each with its length, so that no two configurations read the same.
class fingerprint {
  public:
    fingerprint& add(std::string_view text)
    {
        text_ += fmt::format("{}:{};", text.size(), text);
        return *this;
    }
    fingerprint& add(std::uint64_t number)
    {
        text_ += fmt::format("{};", number);
        return *this;
    }
    fingerprint& add(const std::vector<std::string>& texts)
    {
        add(texts.size());
        for (const std::string& t : texts) add(t);
        return *this;
    }
    fingerprint& add(const std::vector<header>& headers)
    {
        add(headers.size());
        for (const header& h : headers) add(h.name).add(h.value);
        return *this;
    }
    [[nodiscard]] std::uint64_t sum() const { return XXH3_64bits(text_.data(), text_.size()); }

  private:
    std::string text_;
};

std::uint64_t key_of(const site& s, const cache_rules& cache, const io::directory& root)
{
    const static_rules& f = s.files;
    fingerprint sum;
    // The name may be that of a link, which leads to another directory by now.
    if (const auto what = io::status(root)) sum.add(what->device).add(what->inode);
    sum.add(s.names).add(f.root).add(f.index).add(f.tries).add(f.cache_control).add(f.headers);
    sum.add(static_cast<std::uint64_t>(f.directories)).add(cache.largest_page).add(cache.largest_text);
    // What a route redirects or refuses is not kept; which of them add headers is told apart by their numbers.
    for (const route& r : f.routes) sum.add(r.path).add(r.headers);
    return sum.sum();
}

}  // namespace

std::vector<site> all_sites(const settings& s)
{
    std::vector<site> all = s.sites;
    if (!s.files.root.empty()) all.push_back({.names = {}, .is_default = true, .files = s.files});
    return all;
}

std::expected<policy, std::vector<std::string>> make_policy(const settings& s)
{
    std::vector<std::string> wrong;
    std::vector<site> sites = all_sites(s);
    policy p{.names = site_table(sites),
             .roots = {},
             .sites = {},
             .patience = s.patience,
             .limits = s.limits,
             .connections = s.connections,
             .clients = s.clients.divided_by(std::max(1U, s.workers)),
             .proxies = s.proxies,
             .stats = s.stats,
             .told_ids = s.log.told_ids};
    p.sites.reserve(sites.size() + 1);
    std::unordered_map<std::string, std::size_t> known;
    for (site& each : sites) {
        const auto [root, is_new] = known.try_emplace(each.files.root, p.roots.size());
        if (is_new) {
            auto opened = io::open_directory(each.files.root);
            if (!opened) {
                wrong.push_back(fmt::format("{} cannot be served: {}", each.files.root, opened.error().text));
            }
            p.roots.push_back(opened ? std::move(*opened) : io::directory());
        }
        const std::uint64_t key = key_of(each, s.cache, p.roots[root->second]);
        route_table routes(each.files.routes);
        p.sites.push_back({.pages = {std::move(each.files), s.cache, s.patience},
                           .root = root->second,
                           .routes = std::move(routes),
                           .name = each.names.empty() ? "default" : std::move(each.names.front()),
                           .key = key});
    }
    if (!wrong.empty()) return std::unexpected(std::move(wrong));
    p.roots.emplace_back();
    p.sites.push_back(
        {.pages = {{}, s.cache, s.patience}, .root = p.roots.size() - 1, .routes = {}, .name = {}, .key = 0});
    return p;
}

std::vector<header> headers_of(const static_rules& rules, const std::vector<route_number>& routes)
{
    std::vector<header> all = rules.headers;
    for (const route_number r : routes) add_up(all, rules.routes[r].headers);
    return all;
}

bool has_header(const std::vector<header>& headers, std::string_view name)
{
    return std::ranges::any_of(headers, [&](const header& h) { return http::equal_ignoring_case(h.name, name); });
}

std::uint64_t key_of(const served_site& s, const std::vector<route_number>& routes)
{
    if (routes.empty()) return s.key;
    return XXH3_64bits_withSeed(routes.data(), routes.size() * sizeof routes[0], s.key);
}

}  // namespace server
