// SPDX-License-Identifier: MIT
//
// What a connection or a request is treated by. It travels with them: parking stamps the one in force on every
// connection that it forwards, and all later stages go by that. So a request is answered wholly by the configuration of
// the moment in which it was complete, and nobody need be told of a new one but parking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "csp/frozen.hpp"
#include "csp/mobile.hpp"
#include "io/file.hpp"
#include "server/settings.hpp"
#include "server/sites.hpp"

namespace server {

/// What the static farm works by.
struct page_rules {
    static_rules files;
    cache_rules cache;
    patience limits;
    route_table routes;  // of files.routes
};

/// A site as it is served.
struct served_site {
    page_rules pages;
    std::size_t root = 0;   // which of the roots
    std::string name;       // for the log: its first name, "default" if it has none; empty: it is no site
    std::uint64_t key = 0;  // of its configuration and root: what the cache has is found as long as they are the same
};

struct policy {
    site_table names;
    std::vector<io::directory> roots;  // each once for all sites with the same links_into; the last is none
    std::vector<served_site> sites;    // as they are written; the last is of requests for a name that no site has
    server::patience patience;
    http::limits limits;
    std::size_t connections = 0;
    client_limits clients;  // of the core
    std::vector<proxy_rule> proxies{};
    stats_rules stats;
    ids_in_answers told_ids = ids_in_answers::errors;

    [[nodiscard]] site_number nowhere() const { return static_cast<site_number>(sites.size() - 1); }
};

static_assert(csp::mobile<policy>);
using frozen_policy = csp::frozen<policy>;

/// The sites of the tables, and the one of the top level if that has a root.
[[nodiscard]] std::vector<site> all_sites(const settings& s);

/// Opens what is to be served. What cannot be is told, all at once.
[[nodiscard]] std::expected<policy, std::vector<std::string>> make_policy(const settings& s);

[[nodiscard]] bool has_header(const std::vector<header>& headers, std::string_view name);
/// Whether a field of this name says how long an answer may be kept: Cache-Control, and its like for caches of one kind
/// (RFC 9213).
[[nodiscard]] bool is_lifetime(std::string_view name);

/// The headers that the site and the routes of `asked` add to an error.
[[nodiscard]] std::vector<header> headers_of_error(const static_rules& rules, const std::vector<route_number>& routes);
/// And to an answer that is not a file, without the lifetime of files.
[[nodiscard]] std::vector<header> headers_of_other(const static_rules& rules, const std::vector<route_number>& routes);

/// How a request came to the file that answers it: by its path, or by a rewrite or the last resort of `try`.
enum class way_to_file : std::uint8_t { by_path, rewritten, fallback };
/// And to an answer with the file `name`, beneath the root. Routes that act only by their headers count by the path of
/// the file as well as by the one that was asked for, so that those of "*.html" reach "/". But a file that stands in
/// for others has a lifetime of its own: where a script is missing and an application's page is sent, that page must
/// not be kept as long as a script.
[[nodiscard]] std::vector<header> headers_of_file(const page_rules& rules, const std::vector<route_number>& routes,
                                                  std::string_view name, way_to_file way);

/// Under what the cache has the pages of a site, when these routes add headers to them.
[[nodiscard]] std::uint64_t key_of(const served_site& s, const std::vector<route_number>& routes);

}  // namespace server
