// SPDX-License-Identifier: MIT
//
// How a look-up works. Every pattern has a fixed part, and the tables are keyed by it. "*.example.org" has the key
// "example.org", so a host is looked up as it is, and then by each of its parents, the longest first. A route "/a/*"
// has the key "/a/", so a path is looked up by each of its prefixes that end with a slash; "*.php" has the key ".php",
// so it is looked up by each of its suffixes that begin with a dot. The tables know the number of labels, slashes and
// dots in their longest key, and look-ups stop there. So their number is bounded by the configuration: neither the
// number of routes nor a long path in a request raises it.
//
// The look-ups find routes in another order than they are written in. So an entry has the numbers of its routes, and
// the lowest number of all that are found is the route that acts.
#include "server/configuration/sites.hpp"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "http/authority.hpp"
#include "http/characters.hpp"
#include "http/list.hpp"
#include "http/target.hpp"

namespace server {
namespace {

constexpr std::string_view star = "*";

std::size_t count_of(std::string_view text, char c) { return static_cast<std::size_t>(std::ranges::count(text, c)); }

/// The paths of all possible routes that match every path of the route `path`. For "/a/b.c" these are itself, "/*",
/// "/a/*",
/// "/a/b.c/*" (which includes /a/b.c, as "/a/*" includes /a) and "*.c". No extension matches all paths of "/a/*".
std::vector<std::string> covering(std::string_view path)
{
    std::vector<std::string> all{std::string(path), "/*", fmt::format("{}/*", path)};
    for (auto slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
        all.push_back(fmt::format("{}*", path.substr(0, slash + 1)));
    }
    if (path.ends_with('*')) return all;
    for (auto dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1)) {
        all.push_back(fmt::format("*{}", path.substr(dot)));
    }
    return all;
}

/// Characters that are not encoded in the value of a query: unreserved ones (RFC 3986 section 2.3), and the slash.
constexpr http::char_set plain_in_values{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"};

/// A path that this route matches.
std::string an_example_of(std::string_view route_path)
{
    constexpr std::string_view name = "example";
    const auto at = route_path.find('*');
    if (at == std::string_view::npos) return std::string(route_path);
    return fmt::format("{}{}{}{}", at == 0 ? "/" : "", route_path.substr(0, at), name, route_path.substr(at + 1));
}

}  // namespace

std::string canonical_host(std::string_view host)
{
    if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
    std::string lower(host);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

site_table::site_table(const std::vector<site>& sites)
{
    for (site_number number = 0; const site& s : sites) {
        for (const std::string& written : s.names) {
            const std::string name = canonical_host(written);
            if (name.starts_with("*.")) {
                by_parent_.emplace(name.substr(2), number);
                deepest_ = std::max(deepest_, 1 + count_of(std::string_view(name).substr(2), '.'));
            } else {
                by_name_.emplace(name, number);
            }
        }
        if (s.is_default && !default_) default_ = number;
        ++number;
    }
}

std::optional<site_number> site_table::find(std::string_view authority) const
{
    if (by_name_.empty() && by_parent_.empty()) return default_;
    const auto parts = http::parse_authority(authority);
    const std::string host = canonical_host(parts ? parts->host : authority);
    if (const auto known = by_name_.find(host); known != by_name_.end()) return known->second;
    // Parents that are longer than every key are skipped.
    std::string_view parent = host;
    for (std::size_t labels = 1 + count_of(host, '.'); labels > 1 && deepest_ > 0; --labels) {
        parent.remove_prefix(parent.find('.') + 1);
        if (labels - 1 > deepest_) continue;
        if (const auto known = by_parent_.find(std::string(parent)); known != by_parent_.end()) return known->second;
    }
    return default_;
}

std::optional<path_kind> kind_of(std::string_view path)
{
    const auto stars = count_of(path, '*');
    if (path.starts_with("*.") && stars == 1 && path.size() > 2 && !path.contains('/')) return path_kind::ending;
    if (!path.starts_with('/')) return std::nullopt;
    if (stars == 0) return path_kind::exact;
    if (stars == 1 && path.ends_with("/*")) return path_kind::beneath;
    return std::nullopt;
}

route_table::route_table(const std::vector<route>& routes)
{
    for (route_number number = 0; const route& r : routes) {
        const std::string_view path = r.path;
        switch (kind_of(path).value_or(path_kind::exact)) {
            case path_kind::exact:
                add(exact_, path, r, number);
                break;
            case path_kind::beneath: {
                const std::string_view parent = path.substr(0, path.size() - star.size());
                add(beneath_, parent, r, number);
                deepest_ = std::max(deepest_, count_of(parent, '/'));
                break;
            }
            case path_kind::ending:
                add(endings_, path.substr(star.size()), r, number);
                most_dots_ = std::max(most_dots_, count_of(path, '.'));
                break;
        }
        ++number;
    }
}

void route_table::add(table& to, std::string_view key, const route& r, route_number number)
{
    entry& e = to[std::string(key)];
    if (!r.acts()) {
        e.headers.push_back(number);
    } else if (!e.acting) {
        e.acting = number;
    }
}

void route_table::look(const table& in, std::string_view key, matched& so_far)
{
    ++so_far.lookups;
    const auto found = in.find(key);
    if (found == in.end()) return;
    const entry& e = found->second;
    if (e.acting && (!so_far.acting || *e.acting < *so_far.acting)) so_far.acting = e.acting;
    so_far.headers.insert(so_far.headers.end(), e.headers.begin(), e.headers.end());
}

matched route_table::match(std::string_view path) const
{
    matched m;
    if (!exact_.empty()) look(exact_, path, m);
    std::size_t slash = 0;
    for (std::size_t depth = 1; depth <= deepest_ && slash != std::string_view::npos; ++depth) {
        look(beneath_, path.substr(0, slash + 1), m);
        slash = path.find('/', slash + 1);
    }
    // "/a/*" matches /a too: the name of a directory without its slash belongs to the directory.
    if (deepest_ > 0 && !path.ends_with('/') && count_of(path, '/') < deepest_) {
        look(beneath_, std::string(path) + '/', m);
    }
    std::size_t dot = path.rfind('.');
    const std::size_t name = path.rfind('/');
    for (std::size_t dots = 1; dots <= most_dots_ && dot != std::string_view::npos && dot > name; ++dots) {
        look(endings_, path.substr(dot), m);
        dot = path.rfind('.', dot - 1);
    }
    // The route that acts may add headers, too.
    if (m.acting) m.headers.push_back(*m.acting);
    std::ranges::sort(m.headers);
    return m;
}

std::optional<route_number> hidden_routes::add(const route& next)
{
    const route_number number = count_++;
    if (!next.acts()) return std::nullopt;
    std::optional<route_number> hider;
    for (const std::string& path : covering(next.path)) {
        const auto known = first_.find(path);
        if (known != first_.end() && (!hider || known->second < *hider)) hider = known->second;
    }
    first_.emplace(next.path, number);
    return hider;
}

std::string_view rest_of(const route& r, std::string_view path)
{
    switch (kind_of(r.path).value_or(path_kind::exact)) {
        case path_kind::exact:
            return {};
        case path_kind::beneath:
            return path.substr(std::min(path.size(), r.path.size() - star.size()));
        case path_kind::ending:
            return path.substr(1, path.size() - r.path.size());
    }
    std::unreachable();
}

std::string fill_in(std::string_view pattern, std::string_view path, std::string_view rest, std::string_view query)
{
    std::string filled;
    bool in_query = false;
    const auto take = [&](std::string_view placeholder) {
        const bool is_there = pattern.starts_with(placeholder);
        if (is_there) pattern.remove_prefix(placeholder.size());
        return is_there;
    };
    const auto encoded = [&](std::string_view text) {
        return in_query ? http::percent_encode(text, plain_in_values) : http::encode_path(text);
    };
    while (!pattern.empty()) {
        if (take("{path}")) {
            filled += encoded(path);
        } else if (take("{rest}")) {
            filled += encoded(rest);
        } else if (take("{query}")) {
            if (!query.empty()) filled += (in_query ? '&' : '?') + http::encode_query(query);
        } else {
            in_query = (in_query || pattern.front() == '?') && pattern.front() != '#';
            filled += pattern.front();
            pattern.remove_prefix(1);
        }
    }
    return filled;
}

std::vector<std::string> redirect_loop(const std::vector<route>& routes, const route_table& table, route_number from)
{
    constexpr std::size_t most_followed = 20;  // by browsers
    std::vector<std::string> way{an_example_of(routes[from].path)};
    while (way.size() <= most_followed) {
        const auto acting = table.match(way.back()).acting;
        if (!acting || (way.size() == 1 && *acting != from)) return {};
        const route& r = routes[*acting];
        const auto* const to = std::get_if<redirect>(&r.then);
        if (to == nullptr || (!to->to.starts_with('/') && !to->to.starts_with("{path}"))) return {};
        const std::string next = fill_in(to->to, way.back(), rest_of(r, way.back()), "");
        const auto path = http::canonicalize(std::string_view(next).substr(0, next.find_first_of("?#")));
        if (!path) return {};
        const bool is_known = std::ranges::find(way, path->text()) != way.end();
        way.push_back(path->text());
        if (is_known) return way;
    }
    return way;
}

void set_header(std::vector<header>& headers, const header& more)
{
    std::erase_if(headers, [&](const header& old) { return http::equal_ignoring_case(old.name, more.name); });
    headers.push_back(more);
}

}  // namespace server
