// SPDX-License-Identifier: MIT
#include "server/configuration/configuration.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <utility>
#include <variant>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "http/authority.hpp"
#include "http/characters.hpp"
#include "http/list.hpp"
#include "io/address.hpp"
#include "server/configuration/log_target.hpp"
#include "server/configuration/toml_reader.hpp"
#include "server/configuration/written_cgi.hpp"
#include "server/configuration/written_path.hpp"

namespace server {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t gigabyte = 1024 * 1024 * 1024;

using key = toml_reader::key;
using keys = std::vector<key>;

/// Headers that the server sets itself, and that a wrong value would break.
bool is_reserved(std::string_view name)
{
    constexpr std::array<std::string_view, 18> reserved{
        "Accept-Ranges", "Allow",   "Connection", "Content-Encoding",  "Content-Length",         "Content-Range",
        "Content-Type",  "Date",    "ETag",       "Keep-Alive",        "Last-Modified",          "Location",
        "Server",        "Trailer", "Upgrade",    "Transfer-Encoding", "X-Content-Type-Options", "X-Request-Id"};
    return std::ranges::any_of(reserved, [&](auto r) { return http::equal_ignoring_case(r, name); });
}

bool is_field_name(std::string_view name)
{
    return !name.empty() && std::ranges::all_of(name, [](char c) { return http::token_chars.contains(c); });
}

bool is_field_value(std::string_view value)
{
    const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; };
    return std::ranges::none_of(value, is_control);
}

/// Reads a string and converts it by `read`, which checks it.
toml_reader::value_reader parsed(toml_reader& r, std::string& into, reading (*read)(std::string_view))
{
    return [&r, &into, read](const toml::node& node) {
        const auto text = toml_reader::string_in(node);
        const auto meant = text ? read(*text) : std::unexpected("expected a string");
        if (meant) {
            into = *meant;
        } else {
            r.complain(node.source(), meant.error());
        }
    };
}

toml_reader::value_reader parsed(toml_reader& r, std::vector<std::string>& into, reading (*read)(std::string_view))
{
    const auto one = [&r, &into, read](const std::string& text, const toml::node& node) {
        if (auto meant = read(text)) {
            into.push_back(std::move(*meant));
        } else {
            r.complain(node.source(), meant.error());
        }
    };
    return [&into, each = r.each_string(one)](const toml::node& node) {
        into.clear();
        each(node);
    };
}

/// Records the place of a key, for the checks that run after the file has been read.
toml_reader::value_reader with_place(toml_reader& r, written_places& places, std::string key,
                                     toml_reader::value_reader read)
{
    return [&r, &places, key = std::move(key), read = std::move(read)](const toml::node& node) {
        places.of[key] = r.place(node.source());
        read(node);
    };
}

/// Keys that an operator may write below [headers] by mistake, where TOML makes them part of that table.
constexpr std::array<std::string_view, 27> keys_of_sites{
    "root",  "index",   "try",     "listing", "cache_control", "headers", "headers_always", "error_pages", "route",
    "names", "default", "listen",  "workers", "spare_workers", "io",      "control",        "user",        "group",
    "log",   "stats",   "sandbox", "cache",   "patience",      "limits",  "proxy",          "links_into",  "state"};

/// Security headers, which must also be sent with error pages.
bool protects_every_page(std::string_view name)
{
    constexpr std::array<std::string_view, 3> known{"Content-Security-Policy", "Strict-Transport-Security",
                                                    "X-Frame-Options"};
    return std::ranges::any_of(known, [&](auto k) { return http::equal_ignoring_case(k, name); });
}

/// The key of which a header's name is probably a misspelling. Only names of at least five lower-case letters without a
/// hyphen count: few headers are written so.
std::optional<std::string_view> misspelled_key(std::string_view name)
{
    const bool is_like_a_key =
        name.size() > 4 && std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
    if (!is_like_a_key) return std::nullopt;
    const auto* const near = std::ranges::find_if(keys_of_sites, [&](auto k) { return toml_reader::is_near(k, name); });
    return near == keys_of_sites.end() ? std::nullopt : std::optional(*near);
}

/// Refuses a header whose name is a key, and warns of one that is probably a misspelling.
void check_header_name(toml_reader& r, std::string_view name, std::string_view table, const toml::source_region& at)
{
    if (std::ranges::find(keys_of_sites, name) != keys_of_sites.end()) {
        r.complain(at, fmt::format("`{}` is in [{}], which makes it a header: move it above the first [table] of the "
                                   "file, or into the [[site]] it belongs to",
                                   name, table));
        return;
    }
    if (const auto near = misspelled_key(name)) {
        r.warn(at, fmt::format("`{}` is sent as a header; if you mean the key `{}`, move it out of [{}]", name, *near,
                               table));
    } else if (name.contains('_')) {
        r.warn(at, fmt::format("`{}` is sent as a header, but many proxies drop header names that contain `_`: use `-`",
                               name));
    }
}

toml_reader::value_reader headers(toml_reader& r, std::string_view table, std::vector<header>& into, sent_with with)
{
    const auto one = [&r, &into, with](const toml::key& name, const std::string& value, const toml::node& node) {
        const std::string_view written = name.str();
        if (!is_field_name(written)) {
            r.complain(name.source(), fmt::format("`{}` is not a valid header name", written));
        } else if (is_reserved(written)) {
            r.complain(name.source(), fmt::format("the server itself sets `{}`: remove this line", written));
        } else if (!is_field_value(value)) {
            r.complain(node.source(), "a header value must not contain control characters");
        } else {
            into.push_back({std::string(written), value, with});
            if (with == sent_with::success && protects_every_page(written) && !value.empty()) {
                r.warn(name.source(),
                       fmt::format("`{}` is not sent with error responses: move it to [headers_always]", written));
            }
        }
    };
    return [&r, table, read = r.pairs(table, one)](const toml::node& node) {
        if (const auto* t = node.as_table()) {
            for (const auto& [name, value] : *t) check_header_name(r, name.str(), table, name.source());
        }
        read(node);
    };
}

toml_reader::value_reader error_pages(toml_reader& r, static_rules& into)
{
    return r.pairs("error_pages", [&](const toml::key& name, const std::string& value, const toml::node& node) {
        unsigned code = 0;
        const std::string_view digits = name.str();
        const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), code).ptr;
        if (end != digits.data() + digits.size() || code < 400 || code > 599) {
            r.complain(name.source(), fmt::format("expected a status from 400 to 599, not `{}`", digits));
        } else if (auto path = read_path(value); !path) {
            r.complain(node.source(), path.error());
        } else {
            into.error_pages[code] = path->substr(1);
            into.places.of[fmt::format("error_pages.{}", code)] = r.place(node.source());
        }
    });
}

/// Moves the headers of `headers` behind those of `headers_always`, in whichever order the tables are written, since a
/// later header replaces an earlier one of the same name. The first `inherited` headers are from the top level and stay
/// in front.
void order_headers(std::vector<header>& all, std::size_t inherited)
{
    const std::vector<header> own(all.begin() + static_cast<std::ptrdiff_t>(inherited), all.end());
    all.resize(inherited);
    for (const sent_with with : {sent_with::every_answer, sent_with::success}) {
        std::ranges::copy_if(own, std::back_inserter(all), [with](const header& h) { return h.with == with; });
    }
}

/// A route as written. A valid one sets at most one of redirect_to, rewrite_to, tries, status and programs.
struct written_route {
    std::string path;
    std::string redirect_to;
    std::string rewrite_to;
    std::vector<std::string> tries;
    std::optional<cgi_rules> programs;
    unsigned code = 0;
    unsigned status = 0;
    std::vector<header> headers;
};

action action_of(written_route& w)
{
    if (!w.redirect_to.empty()) {
        return redirect{w.redirect_to, w.code == 0 ? http::status::found : static_cast<http::status>(w.code)};
    }
    if (!w.rewrite_to.empty()) return rewrite{w.rewrite_to};
    if (w.status != 0) return fixed_status{static_cast<http::status>(w.status)};
    if (!w.tries.empty()) return look_for{std::move(w.tries)};
    if (w.programs) return std::move(*w.programs);
    return {};
}

toml_reader::value_reader redirect_code(toml_reader& r, unsigned& into)
{
    return [&](const toml::node& node) {
        constexpr std::array<std::int64_t, 5> known{301, 302, 303, 307, 308};
        const auto value = node.value_exact<std::int64_t>().value_or(0);
        if (std::ranges::find(known, value) != known.end()) {
            into = static_cast<unsigned>(value);
        } else {
            r.complain(node.source(), "expected a redirect status: 301, 302, 303, 307 or 308");
        }
    };
}

/// Checks which keys are set together.
void check_route(toml_reader& r, const toml::table& table)
{
    const auto has = [&](std::string_view name) { return table.contains(name) ? 1 : 0; };
    const int actions = has("redirect") + has("rewrite") + has("status") + has("try") + has("cgi");
    const bool has_headers = has("headers") + has("headers_always") > 0;
    if (has("path") == 0) r.complain(table.source(), "a route needs a `path`");
    if (actions > 1)
        r.complain(table.source(), "a route can have only one of `redirect`, `rewrite`, `status`, `try` and `cgi`");
    if (actions == 0 && !has_headers) {
        r.complain(table.source(),
                   "this route does nothing: expected `redirect`, `rewrite`, `status`, `try`, `cgi` or `headers`");
    }
    if (has("code") == 1 && has("redirect") == 0)
        r.complain(table.source(), "`code` has no meaning without `redirect`");
}

void read_route(toml_reader& r, const toml::table& table, static_rules& into)
{
    written_route w;
    const std::size_t number = into.routes.size();
    into.places.of[fmt::format("route.{}", number)] = r.place(table.source());
    r.read(table, "site.route",
           {{"path", parsed(r, w.path, read_route_path)},
            {"redirect", parsed(r, w.redirect_to, read_redirect)},
            {"code", redirect_code(r, w.code)},
            {"rewrite", parsed(r, w.rewrite_to, read_rewrite)},
            {"status", r.integer(w.status, 400, 599)},
            {"try", with_place(r, into.places, fmt::format("route.{}.try", number), parsed(r, w.tries, read_try))},
            {"cgi", with_place(r, into.places, fmt::format("route.{}.cgi", number), read_cgi(r, w.programs))},
            {"headers", headers(r, "site.route.headers", w.headers, sent_with::success)},
            {"headers_always", headers(r, "site.route.headers_always", w.headers, sent_with::every_answer)}});
    check_route(r, table);
    if (w.programs) check_cgi_path(r, *w.programs, w.path, *table.get("cgi"));
    order_headers(w.headers, 0);
    action then = action_of(w);
    into.routes.push_back({std::move(w.path), std::move(then), std::move(w.headers)});
}

/// The places of a site's [[route]] tables in the file.
std::vector<toml::source_region> places_of_routes(const toml::table& site)
{
    std::vector<toml::source_region> places;
    if (const auto* const routes = site["route"].as_array()) {
        for (const toml::node& each : *routes) {
            if (each.is_table()) places.push_back(each.source());
        }
    }
    return places;
}

void warn_of_unused_routes(toml_reader& r, const std::vector<route>& routes,
                           const std::vector<toml::source_region>& places)
{
    hidden_routes so_far;
    for (std::size_t i = 0; i < routes.size(); ++i) {
        const auto by = so_far.add(routes[i]);
        if (!by || !kind_of(routes[i].path)) continue;
        r.warn(places[i], fmt::format("the route `{}` is never used: the earlier route `{}` matches all its paths",
                                      routes[i].path, routes[*by].path));
    }
}

void refuse_redirect_loops(toml_reader& r, const std::vector<route>& routes, const route_table& table,
                           const std::vector<toml::source_region>& places)
{
    for (route_number i = 0; i < routes.size(); ++i) {
        if (!std::holds_alternative<redirect>(routes[i].then) || !kind_of(routes[i].path)) continue;
        std::vector<std::string> way = redirect_loop(routes, table, i);
        if (way.empty()) continue;
        const std::size_t length = way.size();
        way.resize(std::min<std::size_t>(length, 4));
        r.complain(
            places[i],
            fmt::format(
                "the redirect of `{}` loops: {}{}; use `rewrite` to answer with another page, or exempt the target "
                "with an earlier route: path = \"{}\", try = \"{{path}}\"",
                routes[i].path, fmt::join(way, " -> "), length > way.size() ? " -> ..." : "", way.back()));
    }
}

/// Warns of routes that hide pages which the server itself would answer.
void warn_of_hidden_pages(toml_reader& r, const std::vector<route>& routes, const route_table& table,
                          const std::vector<toml::source_region>& places)
{
    constexpr std::array<const char*, 4> own_pages{"/healthz", "/metrics", "/stats.html", "/stats.json"};
    std::map<route_number, std::vector<std::string_view>> taken;
    for (const char* const page : own_pages) {
        const auto acting = table.match(page).acting;
        if (acting && (std::holds_alternative<rewrite>(routes[*acting].then) ||
                       std::holds_alternative<fixed_status>(routes[*acting].then))) {
            taken[*acting].emplace_back(page);
        }
    }
    for (const auto& [by, pages] : taken) {
        r.warn(places[by],
               fmt::format("the route `{0}` hides {1}, which the server answers itself; to keep {2}, add an "
                           "earlier route: path = \"{2}\", try = \"{{path}}\"",
                           routes[by].path, fmt::join(pages, ", "), pages.front()));
    }
}

/// The route whose interpreter runs the file at this path, if there is one.
std::optional<route_number> run_by_interpreter(const std::vector<route>& routes, const route_table& table,
                                               const std::string& path)
{
    const auto acting = table.match(path).acting;
    const auto* const programs = acting ? std::get_if<cgi_rules>(&routes[*acting].then) : nullptr;
    return programs != nullptr && programs->what == cgi_rules::kind::interpreter ? acting : std::nullopt;
}

/// Reports pages of the site that an interpreter would have to run first. The server does not do that, and sends the
/// source of no program; but the page for an error is sent as it is.
void check_pages_of_interpreters(toml_reader& r, const static_rules& rules, const route_table& table,
                                 const std::vector<toml::source_region>& places)
{
    for (const auto& [code, page] : rules.error_pages) {
        const auto by = run_by_interpreter(rules.routes, table, fmt::format("/{}", page));
        if (!by) continue;
        r.complain(places[*by], fmt::format("`error_pages` names `/{}` for {}, which the interpreter of the route `{}` "
                                            "would have to run: name a page that can be sent as it is",
                                            page, code, rules.routes[*by].path));
    }
    for (const std::string& page : rules.index) {
        const auto by = run_by_interpreter(rules.routes, table, fmt::format("/{}", page));
        if (!by) continue;
        r.warn(places[*by], fmt::format("`index` names `{}`, which the interpreter of the route `{}` runs only at its "
                                        "own address: add a route that redirects to it, as path = \"/\", redirect = "
                                        "\"/{}\"",
                                        page, rules.routes[*by].path, page));
    }
}

/// The checks that need all routes of a site.
void check_routes(toml_reader& r, const static_rules& rules, const toml::table& table, const stats_rules& stats)
{
    const auto places = places_of_routes(table);
    const route_table routes(rules.routes);
    warn_of_unused_routes(r, rules.routes, places);
    refuse_redirect_loops(r, rules.routes, routes, places);
    if (stats.allow != stats_rules::who::none) warn_of_hidden_pages(r, rules.routes, routes, places);
    check_pages_of_interpreters(r, rules, routes, places);
}

/// The keys of a site. They are also valid at the top level: there `root` and the routes make a site of their own, and
/// the other keys are the defaults of all sites.
keys site_keys(toml_reader& r, static_rules& into)
{
    return {{"root", with_place(r, into.places, "root", r.string(into.root))},
            {"links_into", r.strings(into.links_into)},
            {"index", with_place(r, into.places, "index", parsed(r, into.index, read_index))},
            {"try", with_place(r, into.places, "try", parsed(r, into.tries, read_try))},
            {"listing", r.choice(into.directories, {{"off", listing::off}, {"on", listing::on}})},
            {"cache_control", r.string(into.cache_control)},
            {"headers", headers(r, "headers", into.headers, sent_with::success)},
            {"headers_always", headers(r, "headers_always", into.headers, sent_with::every_answer)},
            {"error_pages", error_pages(r, into)},
            {"route", r.tables("site.route", [&r, &into](const toml::table& t) { read_route(r, t, into); })}};
}

bool is_site_name(std::string_view name)
{
    if (name.starts_with("*.")) name.remove_prefix(2);
    const auto parts = http::parse_authority(name);
    return parts && parts->host == name && !name.contains('*');
}

/// Reads the sites. REQUIRES: the keys at the top level have been read, since they are the defaults.
void read_sites(toml_reader& r, const toml::node& node, settings& s)
{
    std::set<std::string> taken;
    static_rules common = s.files;
    common.root.clear();
    common.routes.clear();
    const auto one = [&](const toml::table& table) {
        site next{.names = {}, .is_default = false, .files = common};
        const auto names = [&](const toml::node& written) {
            r.strings(next.names)(written);
            for (const std::string& name : next.names) {
                if (!is_site_name(name)) {
                    r.complain(
                        written.source(),
                        fmt::format("`{}` is not a valid site name: expected example.org or *.example.org", name));
                } else if (!taken.insert(canonical_host(name)).second) {
                    r.complain(written.source(), fmt::format("another site already has the name `{}`", name));
                }
            }
        };
        keys known = site_keys(r, next.files);
        known.push_back({"names", names});
        known.push_back({"default", r.boolean(next.is_default)});
        r.read(table, "site", known);
        order_headers(next.files.headers, common.headers.size());
        check_routes(r, next.files, table, s.stats);
        if (!table.contains("root")) r.complain(table.source(), "a site needs a `root`");
        if (next.names.empty() && !next.is_default) {
            r.complain(table.source(), "no request can reach this site: set `names`, or `default = true`");
        }
        if (next.is_default && (!s.files.root.empty() || std::ranges::any_of(s.sites, &site::is_default))) {
            r.complain(table.source(), "there is already a default site: remove `default`, or the other site's");
        }
        s.sites.push_back(std::move(next));
    };
    r.tables("site", one)(node);
}

toml_reader::value_reader addresses(toml_reader& r, std::vector<std::string>& into, written_places& places)
{
    const auto one = [&](const std::string& where, const toml::node& node) {
        into.push_back(where);
        places.of[fmt::format("listen.{}", where)] = r.place(node.source());
        if (!io::address::parse(where)) {
            r.complain(node.source(), fmt::format("`{}` is not an address: expected ADDRESS:PORT with a numeric "
                                                  "address, such as 127.0.0.1:8080, [::1]:8080 or :8080, or unix:/PATH",
                                                  where));
        }
        const address_overlap overlap = overlap_of_last(into);
        if (overlap.is == address_overlap::kind::included) r.complain(node.source(), overlap.text);
        if (overlap.is == address_overlap::kind::duplicate) r.warn(node.source(), overlap.text);
    };
    return [&into, each = r.each_string(one)](const toml::node& node) {
        into.clear();
        each(node);
    };
}

toml_reader::value_reader log_target_text(toml_reader& r, std::string& into)
{
    return [&](const toml::node& node) {
        r.string(into)(node);
        if (const auto target = parse_log_target(into); !target) r.complain(node.source(), target.error());
    };
}

keys log_keys(toml_reader& r, log_rules& into, written_places& places)
{
    return {{"access", with_place(r, places, "log.access", log_target_text(r, into.access))},
            {"error", with_place(r, places, "log.error", log_target_text(r, into.error))},
            {"format", r.choice(into.form, {{"combined", log_form::combined}, {"json", log_form::json}})},
            {"request_id", r.choice(into.ids_in_responses,
                                    {{"errors", ids_in_answers::errors}, {"always", ids_in_answers::always}})}};
}

/// The addresses that a proxy connects from: networks, or "unix:" for every peer on a unix socket.
toml_reader::value_reader origins(toml_reader& r, proxy_rule& into, const std::vector<proxy_rule>& all)
{
    return r.each_string([&](const std::string& text, const toml::node& node) {
        const auto warn_if_earlier = [&](bool is_included) {
            if (is_included)
                r.warn(node.source(), fmt::format("an earlier [[proxy]] includes `{}` and takes precedence", text));
        };
        if (text == "unix:" || text == "unix") {
            warn_if_earlier(std::ranges::any_of(all, &proxy_rule::from_unix));
            into.from_unix = true;
            return;
        }
        const auto n = http::parse_prefix(text);
        if (!n) {
            std::string what =
                fmt::format("`{}` is not a network: expected an address, 10.0.0.0/8, 2001:db8::/32 or unix:", text);
            if (const auto around = http::prefix_around(text)) {
                what += fmt::format("; the bits after the prefix must be zero, did you mean {}?", around->text());
            }
            r.complain(node.source(), what);
            return;
        }
        const auto has_it = [&](const http::ip_prefix& other) { return other.contains(*n); };
        warn_if_earlier(
            std::ranges::any_of(all, [&](const proxy_rule& p) { return std::ranges::any_of(p.from, has_it); }));
        if (n->contains(*http::parse_prefix("0.0.0.0/0"))) {
            r.warn(node.source(), fmt::format("`{}` trusts every client to state its own address", text));
        }
        into.from.push_back(*n);
    });
}

void read_proxy(toml_reader& r, const toml::table& table, std::vector<proxy_rule>& into)
{
    using http::field_id;
    proxy_rule next{.from = {}};
    r.read(table, "proxy",
           {{"from", origins(r, next, into)},
            {"protocol", r.boolean(next.begins_with_header)},
            {"header", r.choice(next.field, {{"X-Forwarded-For", std::optional(field_id::x_forwarded_for)},
                                             {"Forwarded", std::optional(field_id::forwarded)}})}});
    const auto* from = table.get("from");
    if (from == nullptr || (from->is_array() && from->as_array()->empty())) {
        r.complain(table.source(),
                   "a [[proxy]] needs `from`: the addresses or networks that it connects from, or unix:");
    }
    if (!next.begins_with_header && !table.contains("header")) {
        r.complain(table.source(), "this [[proxy]] does not state client addresses: set `protocol = true` or `header`");
    }
    into.push_back(std::move(next));
}

keys all_keys(toml_reader& r, settings& s)
{
    keys all{
        {"listen", addresses(r, s.listen, s.places)},
        {"workers", r.integer(s.workers, 1, 1024)},
        {"io", r.choice(s.engine, {{"auto", io::engine_choice::automatic},
                                   {"uring", io::engine_choice::uring},
                                   {"epoll", io::engine_choice::epoll}})},
        {"spare_workers", r.integer(s.spare_workers, 1, 1024)},
        {"control", with_place(r, s.places, "control", r.string(s.control))},
        {"user", with_place(r, s.places, "user", r.string(s.user))},
        {"group", with_place(r, s.places, "group", r.string(s.group))},
        {"state", with_place(r, s.places, "state", r.string(s.state))},
        {"log", r.table("log", log_keys(r, s.log, s.places))},
        {"stats", r.table("stats", {{"allow", r.choice(s.stats.allow, {{"none", stats_rules::who::none},
                                                                       {"loopback", stats_rules::who::loopback},
                                                                       {"all", stats_rules::who::all}})}})},
        {"sandbox", r.table("sandbox", {{"files", r.boolean(s.sandbox.files)},
                                        {"system_calls", r.boolean(s.sandbox.system_calls)},
                                        {"read", with_place(r, s.places, "sandbox.read", r.strings(s.sandbox.read))}})},
        {"cache", r.table("cache", {{"pages", r.integer(s.cache.pages, 1, 1024 * 1024)},
                                    {"memory_bytes", r.integer(s.cache.memory, 0, 1024 * gigabyte)},
                                    {"largest_page_bytes", r.integer(s.cache.largest_page, 0, gigabyte)},
                                    {"largest_text_bytes", r.integer(s.cache.largest_text, 0, gigabyte)}})},
        {"patience", r.table("patience", {{"idle_seconds", r.seconds(s.patience.idle)},
                                          {"head_seconds", r.seconds(s.patience.head)},
                                          {"stall_seconds", r.seconds(s.patience.stall)},
                                          {"linger_seconds", r.seconds(s.patience.linger)},
                                          {"grace_seconds", r.seconds(s.patience.grace)},
                                          {"least_bytes_a_second", r.integer(s.patience.least_rate, 1, gigabyte)}})},
        {"limits",
         r.table("limits",
                 {{"connections", r.integer(s.connections, 1, 10'000'000)},
                  {"connections_per_address", r.integer(s.clients.connections_per_address, 0, 10'000'000)},
                  {"requests_per_second_per_address", r.integer(s.clients.requests_per_second, 0, 1'000'000'000)},
                  {"requests_burst_per_address", r.integer(s.clients.burst, 1, 1'000'000)},
                  {"target_bytes", r.integer(s.limits.target_bytes, 16, 64 * 1024)},
                  {"head_bytes", r.integer(s.limits.head_bytes, 256, 1024 * 1024)},
                  {"fields", r.integer(s.limits.fields, 1, http::max_fields)},
                  {"body_bytes", r.integer(s.limits.body_bytes, 0, 1024 * gigabyte)}})}};
    all.push_back({"proxy", r.tables("proxy", [&](const toml::table& t) { read_proxy(r, t, s.proxies); })});
    for (key& k : site_keys(r, s.files)) all.push_back(std::move(k));
    return all;
}

/// Whether a listener on `all` would also receive the connections to `one`.
bool covers(const io::address& all, const io::address& one)
{
    if (all == one) return true;
    if (all.port() != one.port() || all.family() == AF_UNIX || one.family() == AF_UNIX) return false;
    const std::string host = all.host();
    return host == "::" || (host == "0.0.0.0" && one.family() == AF_INET);
}

}  // namespace

address_overlap overlap_of_last(const std::vector<std::string>& all)
{
    using enum address_overlap::kind;
    if (all.empty()) return {};
    const auto last = io::address::parse(all.back());
    if (!last || (last->family() != AF_UNIX && last->port() == 0)) return {};
    for (const std::string& other : all | std::views::take(all.size() - 1)) {
        const auto before = io::address::parse(other);
        if (!before) continue;
        if (*before == *last) return {duplicate, fmt::format("`{}` is listed twice: remove one", all.back())};
        if (covers(*before, *last))
            return {included, fmt::format("`{}` is included in `{}`: remove it", all.back(), other)};
        if (covers(*last, *before))
            return {included, fmt::format("`{}` is included in `{}`: remove it", other, all.back())};
    }
    return {};
}

std::expected<settings, std::vector<complaint>> read_configuration(std::string_view text, std::string_view file_name,
                                                                   settings base)
{
    toml_reader r(file_name);
    const auto document = r.parse(text);
    if (!document) return std::unexpected(r.complaints());

    settings s = std::move(base);
    const std::size_t base_headers = s.files.headers.size();
    keys known = all_keys(r, s);
    // Sites are read after the other keys, wherever they stand in the file, because those are their defaults.
    known.push_back({"site", [](const toml::node&) {}});
    r.read(*document, "", known);
    order_headers(s.files.headers, base_headers);
    check_routes(r, s.files, *document, s.stats);
    if (const auto* sites = document->get("site")) read_sites(r, *sites, s);
    if (auto wrong = r.complaints(); !wrong.empty()) return std::unexpected(std::move(wrong));
    s.warnings = r.warnings();
    return s;
}

namespace {

/// The content of a file, or why it cannot be read. Not by a stream: that takes a lack of memory for the end of the
/// file.
std::expected<std::string, std::string_view> text_of(const std::string& file_name)
{
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(file_name.c_str(), "re"), &std::fclose);
    if (!file) return std::unexpected(std::strerror(errno));
    std::string text;
    std::array<char, 4096> room;
    while (const std::size_t got = std::fread(room.data(), 1, room.size(), file.get())) text.append(room.data(), got);
    if (std::ferror(file.get()) != 0) return std::unexpected(std::strerror(errno));
    return text;
}

/// An absolute path, without a slash at its end.
void make_absolute(std::string& path)
{
    if (path.empty()) return;
    std::error_code unknown;  // the working directory has been removed
    fs::path whole = fs::absolute(path, unknown);
    if (unknown) return;
    // A ".." may follow a symbolic link, and then leads elsewhere than the text says.
    if (std::ranges::find(whole, "..") == whole.end()) whole = whole.lexically_normal();
    path = whole.string();
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
}

void settle_programs(static_rules& site)
{
    for (route& r : site.routes) {
        auto* const rules = std::get_if<cgi_rules>(&r.then);
        if (rules == nullptr) continue;
        if (rules->path.empty()) rules->path = site.root + r.path.substr(0, r.path.rfind('/'));
        for (std::string* const each : {&rules->path, &rules->working_directory, &rules->sendfile_root})
            make_absolute(*each);
    }
}

}  // namespace

void settle_programs(settings& s)
{
    settle_programs(s.files);
    for (site& each : s.sites) settle_programs(each.files);
}

std::expected<settings, std::vector<complaint>> load_configuration(const std::string& file_name, settings base)
{
    const auto text = text_of(file_name);
    if (!text) return std::unexpected(std::vector{fmt::format("{}: cannot be read: {}", file_name, text.error())});
    return read_configuration(*text, file_name, std::move(base));
}

}  // namespace server
