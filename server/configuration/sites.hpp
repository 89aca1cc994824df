// SPDX-License-Identifier: MIT
//
// Sites and their routes as configured, and the tables in which a request finds its own. Look-ups use hash tables only,
// and no pattern is matched against a text, so the time does not depend on the number of sites or routes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "csp/mobile.hpp"
#include "http/status.hpp"
#include "server/configuration/cgi_rules.hpp"

namespace server {

/// Which responses have a header: those with a 2xx or 3xx status, or all, including errors.
enum class sent_with : std::uint8_t { success, every_answer };

/// A header field of a response.
struct header {
    std::string name;
    std::string value;  // empty: removes a header of this name that is set elsewhere
    sent_with with = sent_with::success;
    friend bool operator==(const header&, const header&) = default;
};

/// `to` may have placeholders: "{path}" is the requested path, "{rest}" the part of it that the star of the route
/// matches, and "{query}" the query, if there is one, with the `?` or `&` that joins it to the text before.
struct redirect {
    std::string to;  // apart from the placeholders, a URI reference (RFC 3986)
    http::status code = http::status::found;
    friend bool operator==(const redirect&, const redirect&) = default;
};
struct rewrite {
    std::string to;  // a path, percent-encoded; {query} is not valid, since the query is not changed
    friend bool operator==(const rewrite&, const rewrite&) = default;
};
struct fixed_status {
    http::status code = http::status::gone;
    friend bool operator==(const fixed_status&, const fixed_status&) = default;
};

/// The `try` of a route, which replaces static_rules::tries of the site.
struct look_for {
    std::vector<std::string> tries;
    friend bool operator==(const look_for&, const look_for&) = default;
};

/// What a route does besides adding headers: nothing, or one of these.
using action = std::variant<std::monostate, redirect, rewrite, fixed_status, look_for, cgi_rules>;

struct route {
    std::string path;  // canonical: "/a" this path; "/a/*" /a and all below it; "*.php" this extension
    action then;
    std::vector<header> headers;
    friend bool operator==(const route&, const route&) = default;

    [[nodiscard]] bool acts() const { return !std::holds_alternative<std::monostate>(then); }
};

enum class listing : std::uint8_t { off, on };

/// Where the keys of a site stand in the file: by key ("try", "error_pages.404"), the beginning of a message
/// ("occwserv.toml:3:1: "). Used in messages only, so it does not make two sites different.
struct written_places {
    std::map<std::string, std::string, std::less<>> of{};
    [[nodiscard]] std::string operator()(std::string_view key) const
    {
        const auto known = of.find(key);
        return known == of.end() ? std::string() : known->second;
    }
    friend bool operator==(const written_places&, const written_places&) { return true; }
};

/// The settings of a site, apart from its names.
struct static_rules {
    std::string root;                       // directory, as written in the configuration
    std::vector<std::string> links_into{};  // directories outside `root` into which symbolic links may lead
    std::vector<std::string> index{"index.html", "index.htm"};
    /// The files to look for, in this order; "{path}" stands for the requested path. "{path}.html" allows addresses
    /// without an extension, and "/index.html" as the last entry serves a single-page application.
    std::vector<std::string> tries{"{path}"};
    listing directories = listing::off;             // whether a directory without an index page is listed
    std::string cache_control = "no-cache";         // clients may keep a copy, but must revalidate it
    std::map<unsigned, std::string> error_pages{};  // by status: a path relative to the root
    std::vector<header> headers{};
    std::vector<route> routes{};
    written_places places{};
    friend bool operator==(const static_rules&, const static_rules&) = default;
};

struct site {
    std::vector<std::string> names;  // "example.org", "*.example.org"
    bool is_default = false;         // answers requests for a name that no site has
    static_rules files;
    friend bool operator==(const site&, const site&) = default;
};

using site_number = std::uint32_t;
using route_number = std::uint32_t;

/// The name of a host in the form in which sites are compared: in lower case, without a final dot.
[[nodiscard]] std::string canonical_host(std::string_view host);

/// Finds the site of a request by its name.
class site_table {
  public:
    explicit site_table(const std::vector<site>& sites);

    /// The site for the authority of a request: the site with this name, or else with the longest "*.name" that
    /// matches, or else the default. Empty if there is none. A port in `authority` is ignored.
    [[nodiscard]] std::optional<site_number> find(std::string_view authority) const;

    [[nodiscard]] std::optional<site_number> by_default() const { return default_; }
    /// The number of look-ups that one find() makes at most.
    [[nodiscard]] std::size_t most_lookups() const { return 1 + deepest_; }

  private:
    std::unordered_map<std::string, site_number> by_name_;
    std::unordered_map<std::string, site_number> by_parent_;  // key "example.org" for "*.example.org"
    std::size_t deepest_ = 0;                                 // labels in the longest key of by_parent_
    std::optional<site_number> default_;
};

/// The routes that match one path.
struct matched {
    std::optional<route_number> acting;  // the first that has an action, in the order written
    std::vector<route_number> headers;   // `acting` and those that only add headers, in the order written
    std::size_t lookups = 0;             // for tests
};

class route_table {
  public:
    route_table() = default;
    explicit route_table(const std::vector<route>& routes);

    /// `path` is canonical.
    [[nodiscard]] matched match(std::string_view path) const;

  private:
    struct string_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
    };
    /// The routes with one and the same path. Of those with an action only the first is ever used.
    struct entry {
        std::optional<route_number> acting;
        std::vector<route_number> headers;  // those without an action
    };
    using table = std::unordered_map<std::string, entry, string_hash, std::equal_to<>>;

    static void add(table& to, std::string_view key, const route& r, route_number number);
    static void look(const table& in, std::string_view key, matched& so_far);

    table exact_;
    table beneath_;              // by the text before the star: "/a/"
    table endings_;              // by the text after it: ".php"
    std::size_t deepest_ = 0;    // slashes in the longest key of beneath_
    std::size_t most_dots_ = 0;  // dots in the longest key of endings_
};

/// Finds the routes of a site that are never used. REQUIRES: add() is called for them in the order written.
class hidden_routes {
  public:
    /// The number of the first earlier route that matches every path of `next`; empty if there is none.
    [[nodiscard]] std::optional<route_number> add(const route& next);

  private:
    std::unordered_map<std::string, route_number> first_;  // routes with an action, by path
    route_number count_ = 0;
};

/// The kind of a route's path; empty if it is not a valid one.
enum class path_kind : std::uint8_t { exact, beneath, ending };
[[nodiscard]] std::optional<path_kind> kind_of(std::string_view path);

/// The part of `path` that the star of the route matches. `path` is canonical, and so is the result.
[[nodiscard]] std::string_view rest_of(const route& r, std::string_view path);

/// Replaces the placeholders of `pattern`, each percent-encoded for its place: in a path, or after a question mark for
/// a query, in which `&`, `=` and `+` have a meaning.
[[nodiscard]] std::string fill_in(std::string_view pattern, std::string_view path, std::string_view rest,
                                  std::string_view query);

/// The paths to which the redirect of this route leads one after the other, if they are an endless loop: at most as
/// many as a browser would follow. Empty if they are not, or if that depends on other servers.
[[nodiscard]] std::vector<std::string> redirect_loop(const std::vector<route>& routes, const route_table& table,
                                                     route_number from);

/// Adds a header, which replaces an earlier one of the same name.
void set_header(std::vector<header>& headers, const header& more);
template <std::ranges::input_range Headers>
void set_header(std::vector<header>& headers, Headers&& more)
{
    for (const header& h : more) set_header(headers, h);
}

static_assert(csp::mobile<site>);

}  // namespace server
