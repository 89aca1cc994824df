// SPDX-License-Identifier: MIT
#include "server/configuration/policy.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <ranges>
#include <utility>
#include <variant>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/core.h>

#include "http/list.hpp"
#include "server/configuration/fingerprint.hpp"

namespace server {
namespace {

std::uint64_t key_of(const site& s, const cache_rules& cache, const io::directory& root)
{
    const static_rules& f = s.files;
    fingerprint sum;
    // `root` may name a symbolic link that has been changed since, so the name alone is not enough.
    if (const auto what = io::status(root)) sum.add(what->device).add(what->inode);
    sum.add(s.names).add(f.root).add(f.links_into).add(f.index).add(f.tries).add(f.cache_control).add(f.headers);
    sum.add(f.error_pages.size());  // the cache keeps error pages of missing files, too
    for (const auto& [code, page] : f.error_pages) sum.add(static_cast<std::uint64_t>(code)).add(page);
    sum.add(static_cast<std::uint64_t>(f.directories)).add(cache.largest_page).add(cache.largest_text);
    // Only `try` and `cgi` change which pages are cached: redirects and fixed statuses are not. The routes that add
    // headers to a page are hashed by number, in the other key_of().
    for (const route& r : f.routes) {
        sum.add(r.path).add(r.headers).add(std::holds_alternative<cgi_rules>(r.then) ? 1U : 0U);
        if (const auto* files = std::get_if<look_for>(&r.then)) sum.add(files->tries);
    }
    return sum.sum();
}

/// Opens the root of a site, and adds a message to `wrong` for each directory that cannot be opened.
io::directory open_root(const static_rules& files, std::vector<std::string>& wrong)
{
    auto root = io::open_directory(files.root);
    if (!root) {
        wrong.push_back(fmt::format("{}{} cannot be served: {}", files.places("root"), files.root, root.error().text));
        return {};
    }
    for (const std::string& name : files.links_into) {
        const auto target = io::open_directory(name);
        auto path = target ? io::real_path(*target) : std::unexpected(target.error());
        if (path) {
            root->allow_links_into(std::move(*path));
        } else {
            wrong.push_back(fmt::format("links_into: {} cannot be opened: {}", name, path.error().text));
        }
    }
    return std::move(*root);
}

/// Opens the directories of the routes with programs, and adds a message to `wrong` for each that cannot be opened.
std::map<route_number, program_directories> open_program_directories(const static_rules& site,
                                                                     std::vector<io::directory>& roots,
                                                                     std::vector<std::string>& wrong)
{
    const std::vector<route>& routes = site.routes;
    const auto open = [&](route_number of, const std::string& name) {
        auto d = io::open_directory(name);
        const std::string place = site.places(fmt::format("route.{}.cgi", of));
        if (!d) wrong.push_back(fmt::format("{}cgi: {} cannot be opened: {}", place, name, d.error().text));
        roots.push_back(d ? std::move(*d) : io::directory());
        return roots.size() - 1;
    };
    std::map<route_number, program_directories> all;
    for (route_number i = 0; i < routes.size(); ++i) {
        const auto* const rules = std::get_if<cgi_rules>(&routes[i].then);
        if (rules == nullptr) continue;
        program_directories& these = all[i];
        if (rules->what == cgi_rules::kind::directory) these.programs = open(i, rules->path);
        if (!rules->sendfile_root.empty()) these.sendfile = open(i, rules->sendfile_root);
    }
    return all;
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
             .ids_in_responses = s.log.ids_in_responses};
    p.sites.reserve(sites.size() + 1);
    std::map<std::pair<std::string, std::vector<std::string>>, std::size_t> known;
    for (site& each : sites) {
        const auto [root, is_new] = known.try_emplace({each.files.root, each.files.links_into}, p.roots.size());
        if (is_new) p.roots.push_back(open_root(each.files, wrong));
        const std::uint64_t key = key_of(each, s.cache, p.roots[root->second]);
        route_table routes(each.files.routes);
        auto programs = open_program_directories(each.files, p.roots, wrong);
        p.sites.push_back({.pages = {std::move(each.files), s.cache, s.patience, std::move(routes)},
                           .root = root->second,
                           .name = each.names.empty() ? "default" : std::move(each.names.front()),
                           .key = key,
                           .programs = std::move(programs)});
    }
    if (!wrong.empty()) return std::unexpected(std::move(wrong));
    p.roots.emplace_back();
    p.sites.push_back({.pages = {{}, s.cache, s.patience, {}}, .root = p.roots.size() - 1, .name = {}, .key = 0});
    return p;
}

bool has_header(const std::vector<header>& headers, std::string_view name)
{
    return std::ranges::any_of(headers, [&](const header& h) { return http::equal_ignoring_case(h.name, name); });
}

bool is_lifetime(std::string_view name)
{
    constexpr std::string_view of_caches = "-Cache-Control";
    const auto is = [&](std::string_view known) { return http::equal_ignoring_case(name, known); };
    return is("Cache-Control") || is("Expires") || is("Pragma") || is("Surrogate-Control") ||
           (name.size() > of_caches.size() &&
            http::equal_ignoring_case(name.substr(name.size() - of_caches.size()), of_caches));
}

std::vector<header> headers_of_error(const static_rules& rules, const std::vector<route_number>& routes)
{
    const auto goes_with_it = [](const header& h) { return h.with == sent_with::every_answer; };
    std::vector<header> all;
    set_header(all, rules.headers | std::views::filter(goes_with_it));
    for (const route_number r : routes) set_header(all, rules.routes[r].headers | std::views::filter(goes_with_it));
    return all;
}

std::vector<header> headers_of_other(const static_rules& rules, const std::vector<route_number>& routes)
{
    std::vector<header> all;
    set_header(all, rules.headers);
    for (const route_number r : routes) set_header(all, rules.routes[r].headers);
    std::erase_if(all, [](const header& h) { return is_lifetime(h.name); });
    return all;
}

std::vector<header> headers_of_file(const page_rules& rules, const std::vector<route_number>& routes,
                                    std::string_view name, way_to_file way)
{
    std::vector<header> all;
    set_header(all, rules.files.headers);
    if (rules.files.routes.empty()) return all;
    const auto acts = [&](route_number r) { return rules.files.routes[r].acts(); };
    std::vector<route_number> of_file = rules.routes.match(fmt::format("/{}", name)).headers;
    std::erase_if(of_file, acts);
    std::vector<route_number> both;
    std::ranges::set_union(routes, of_file, std::back_inserter(both));
    for (const route_number r : both) {
        const bool has_a_say = way == way_to_file::by_path || std::ranges::binary_search(of_file, r) ||
                               (way == way_to_file::rewritten && acts(r));
        set_header(all, rules.files.routes[r].headers |
                            std::views::filter([&](const header& h) { return has_a_say || !is_lifetime(h.name); }));
    }
    return all;
}

std::uint64_t key_of(const served_site& s, const std::vector<route_number>& routes)
{
    if (routes.empty()) return s.key;
    return XXH3_64bits_withSeed(routes.data(), routes.size() * sizeof routes[0], s.key);
}

}  // namespace server
