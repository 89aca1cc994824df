// SPDX-License-Identifier: MIT
//
// A policy is the part of the configuration that requests depend on, with its directories open and its tables built. It
// travels with the requests: parking stamps the policy in force on each connection that it forwards, and all later
// stages use that one. So each request is answered by a single configuration, and a reload hands the new one to parking
// only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "csp/frozen.hpp"
#include "csp/mobile.hpp"
#include "io/descriptor.hpp"
#include "io/file.hpp"
#include "server/configuration/settings.hpp"
#include "server/configuration/sites.hpp"

namespace server {

/// The part of a site that the static farm uses.
struct page_rules {
    static_rules files;
    cache_rules cache;
    patience limits;
    route_table routes;  // built from files.routes
};

/// The directories of a route with programs, as indices in policy::roots.
struct program_directories {
    std::optional<std::size_t> programs;  // cgi_rules::path, if that is a directory
    std::optional<std::size_t> sendfile;  // cgi_rules::sendfile_root
};

/// A site, ready to be served.
struct served_site {
    page_rules pages;
    std::size_t root = 0;   // index in policy::roots
    std::string name;       // for the log: its first name, or "default"; empty for policy::nowhere()
    std::uint64_t key = 0;  // hash of its configuration and root: part of the key of its pages in the cache
    std::map<route_number, program_directories> programs{};
};

struct policy {
    site_table names;
    std::vector<io::directory> roots;  // shared by sites with the same root and links_into; the last is not open
    std::vector<served_site> sites;    // in the order written; the last one stands for names that no site has
    server::patience patience;
    http::limits limits;
    std::size_t connections = 0;
    client_limits clients;  // on one core
    std::vector<proxy_rule> proxies{};
    stats_rules stats;
    ids_in_answers ids_in_responses = ids_in_answers::errors;
    io::descriptor programs{};  // the line to the runner of this configuration; empty if has_programs() is false

    /// The number of the site that stands for names that no site has.
    [[nodiscard]] site_number nowhere() const { return static_cast<site_number>(sites.size() - 1); }
};

static_assert(csp::mobile<policy>);
using frozen_policy = csp::frozen<policy>;
using freezable_policy = csp::freezable<policy>;  // on its way to a core

/// The sites of the [[site]] tables, and then the site at the top level if it has a root.
[[nodiscard]] std::vector<site> all_sites(const settings& s);

/// Opens the roots of all sites and builds their tables, but starts no runner. An error has one message for each
/// directory that cannot be opened.
[[nodiscard]] std::expected<policy, std::vector<std::string>> make_policy(const settings& s);

[[nodiscard]] bool has_header(const std::vector<header>& headers, std::string_view name);
/// Whether a field of this name says how long a response may be cached: Cache-Control, Expires, Pragma, and the
/// targeted fields of RFC 9213 such as CDN-Cache-Control.
[[nodiscard]] bool is_lifetime(std::string_view name);

/// The headers that the site and these routes add to an error response.
[[nodiscard]] std::vector<header> headers_of_error(const static_rules& rules, const std::vector<route_number>& routes);
/// The headers for a response that is neither an error nor a file, such as a redirect: without cache lifetimes, which
/// are meant for files.
[[nodiscard]] std::vector<header> headers_of_other(const static_rules& rules, const std::vector<route_number>& routes);

/// How a request led to its file: by its path, by a rewrite, or by the fallback at the end of `try`.
enum class way_to_file : std::uint8_t { by_path, rewritten, fallback };
/// The headers for a response with the file `name`, a path relative to the root. Routes that only add headers apply if
/// they match the requested path or the path of the file, so that those of "*.html" apply to "/". But cache lifetimes
/// from the requested path do not apply to a fallback: if the page of an application is sent in place of a missing
/// script, it must not be cached for as long as a script.
[[nodiscard]] std::vector<header> headers_of_file(const page_rules& rules, const std::vector<route_number>& routes,
                                                  std::string_view name, way_to_file way);

/// The key of a site's pages in the cache if these routes add headers to them. It changes with the configuration, so
/// pages made under another one are not found.
[[nodiscard]] std::uint64_t key_of(const served_site& s, const std::vector<route_number>& routes);

}  // namespace server
