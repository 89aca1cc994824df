// SPDX-License-Identifier: MIT
//
// Sites and their routes, as the operator writes them, and the tables by which a request finds its own. A look-up goes
// by hashing alone: no pattern is tried against a text, so a thousand sites or routes cost what one costs.
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

namespace server {

/// Which answers have a header: those that give what was asked for, or say where it is (2xx and 3xx); or errors too.
enum class sent_with : std::uint8_t { success, every_answer };

/// A field that an answer is sent with.
struct header {
    std::string name;
    std::string value;  // empty: none of this name
    sent_with with = sent_with::success;
    friend bool operator==(const header&, const header&) = default;
};

/// `to` may have placeholders. "{path}" is the path asked for; "{rest}" what the star of the route's path stands for;
/// "{query}" the query, if there is one, with what joins it to what stands before.
struct redirect {
    std::string to;  // apart from the placeholders, a URI reference (RFC 3986)
    http::status code = http::status::found;
    friend bool operator==(const redirect&, const redirect&) = default;
};
struct rewrite {
    std::string to;  // a path, in which "{query}" has no meaning: the query stays
    friend bool operator==(const rewrite&, const rewrite&) = default;
};
struct fixed_status {
    http::status code = http::status::gone;
    friend bool operator==(const fixed_status&, const fixed_status&) = default;
};

/// The files of a route of its own, in place of static_rules::tries.
struct look_for {
    std::vector<std::string> tries;
    friend bool operator==(const look_for&, const look_for&) = default;
};

/// What a route does: nothing but its headers, or one of these.
using action = std::variant<std::monostate, redirect, rewrite, fixed_status, look_for>;

struct route {
    std::string path;  // canonical: "/a", this path; "/a/*", all beneath, and /a itself; "*.php", this ending
    action then;
    std::vector<header> headers;
    friend bool operator==(const route&, const route&) = default;

    [[nodiscard]] bool acts() const { return !std::holds_alternative<std::monostate>(then); }
};

enum class listing : std::uint8_t { off, on };

/// The places of a site's keys in the file, by key ("try", "error_pages.404"), such as "occwserv.toml:3:1: ". For
/// messages only: sites that differ in nothing else are equal.
struct written_places {
    std::map<std::string, std::string, std::less<>> of{};
    [[nodiscard]] std::string operator()(std::string_view key) const
    {
        const auto known = of.find(key);
        return known == of.end() ? std::string() : known->second;
    }
    friend bool operator==(const written_places&, const written_places&) { return true; }
};

/// How a site is served.
struct static_rules {
    std::string root;                       // directory, as the operator wrote it
    std::vector<std::string> links_into{};  // directories outside it into which its links may lead
    std::vector<std::string> index{"index.html", "index.htm"};
    /// What to look for, in this order; "{path}" stands for the path that was asked for. "{path}.html" makes addresses
    /// without an ending, "/index.html" at the end serves an application that has its pages in one file.
    std::vector<std::string> tries{"{path}"};
    listing directories = listing::off;             // what of those without an index page
    std::string cache_control = "no-cache";         // kept by whoever wants, but asked for again: a 304 is cheap
    std::map<unsigned, std::string> error_pages{};  // by status: a file beneath the root
    std::vector<header> headers{};
    std::vector<route> routes{};
    written_places places{};
    friend bool operator==(const static_rules&, const static_rules&) = default;
};

struct site {
    std::vector<std::string> names;  // "example.org", "*.example.org"
    bool is_default = false;         // of requests for a name that no site has
    static_rules files;
    friend bool operator==(const site&, const site&) = default;
};

using site_number = std::uint32_t;
using route_number = std::uint32_t;

/// The one spelling of a host's name by which sites are told apart: in lower case, without the dot that may end it.
[[nodiscard]] std::string canonical_host(std::string_view host);

/// Which site has which name.
class site_table {
  public:
    explicit site_table(const std::vector<site>& sites);

    /// The site for a request's authority: the one that has its name; else the one whose "*.name" is the longest that
    /// ends it; else the default.
    [[nodiscard]] std::optional<site_number> find(std::string_view authority) const;

    [[nodiscard]] std::optional<site_number> by_default() const { return default_; }
    /// The look-ups that one find() may make.
    [[nodiscard]] std::size_t most_lookups() const { return 1 + deepest_; }

  private:
    std::unordered_map<std::string, site_number> by_name_;
    std::unordered_map<std::string, site_number> by_parent_;  // of "*.example.org", "example.org"
    std::size_t deepest_ = 0;                                 // labels of the longest of those
    std::optional<site_number> default_;
};

/// What the routes of a site say about one path.
struct matched {
    std::optional<route_number> acting;  // the first in the order written
    std::vector<route_number> headers;   // those that only add headers, and `acting`, in the order written
    std::size_t lookups = 0;
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
    /// The routes of one path. Of those that act only the first can be met.
    struct entry {
        std::optional<route_number> acting;
        std::vector<route_number> headers;  // those that do nothing else
    };
    using table = std::unordered_map<std::string, entry, string_hash, std::equal_to<>>;

    static void add(table& to, std::string_view key, const route& r, route_number number);
    static void look(const table& in, std::string_view key, matched& so_far);

    table exact_;
    table beneath_;              // by what stands before the star: "/a/"
    table endings_;              // by what stands after it: ".php"
    std::size_t deepest_ = 0;    // slashes in the longest of `beneath_`
    std::size_t most_dots_ = 0;  // dots in the longest of `endings_`
};

/// Finds the routes of a site that can never be reached. It is told of them in the order written.
class hidden_routes {
  public:
    /// The number of the first one before `next` that has all its paths.
    [[nodiscard]] std::optional<route_number> add(const route& next);

  private:
    std::unordered_map<std::string, route_number> first_;  // of those that act, by path
    route_number count_ = 0;
};

/// How a route's path is meant; nothing when it is no such path.
enum class path_kind : std::uint8_t { exact, beneath, ending };
[[nodiscard]] std::optional<path_kind> kind_of(std::string_view path);

/// What the star of the route stands for in `path`; what follows it, encoded for use in an address.
[[nodiscard]] std::string_view rest_of(const route& r, std::string_view path);

/// `pattern` with its placeholders filled in, each percent-encoded for where it stands: in a path, or behind a question
/// mark in a query, where `&`, `=` and `+` would mean something.
[[nodiscard]] std::string fill_in(std::string_view pattern, std::string_view path, std::string_view rest,
                                  std::string_view query);

/// The paths that this route's redirect sends a client to, if it is part of an endless loop, as far as a browser would
/// follow. Empty if it is not, or if that depends on other servers.
[[nodiscard]] std::vector<std::string> redirect_loop(const std::vector<route>& routes, const route_table& table,
                                                     route_number from);

/// Adds a header: of two of one name the later counts.
void add_up(std::vector<header>& headers, const header& more);
template <std::ranges::input_range Headers>
void add_up(std::vector<header>& headers, Headers&& more)
{
    for (const header& h : more) add_up(headers, h);
}

static_assert(csp::mobile<site>);

}  // namespace server
