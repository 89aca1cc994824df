// SPDX-License-Identifier: MIT
#include "server/configuration.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/core.h>

#include "http/authority.hpp"
#include "http/characters.hpp"
#include "http/list.hpp"
#include "http/target.hpp"
#include "io/address.hpp"
#include "server/observers/log_target.hpp"
#include "server/toml_reader.hpp"

namespace server {
namespace {

constexpr std::uint64_t gigabyte = 1024 * 1024 * 1024;

using key = toml_reader::key;
using keys = std::vector<key>;

/// What the server says by itself in every answer, or must say rightly.
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

/// Why this cannot be the address that a redirect leads to; nothing if it can.
std::optional<std::string> wrong_address(std::string_view to)
{
    if (!is_field_value(to) || to.contains(' ')) return "an address has no spaces and no control characters";
    if (to.starts_with('/') || to.starts_with("{path}")) {
        // A browser takes "//name/" for the address of another host, which the client could then choose.
        if (to.starts_with("//")) return "an address that begins with // leads to another host: say http: or https:";
        return std::nullopt;
    }
    const auto scheme = to.find("://");
    if (scheme == std::string_view::npos || (to.substr(0, scheme) != "http" && to.substr(0, scheme) != "https")) {
        return "expected an address that begins with /, http:// or https://";
    }
    const std::string_view host = to.substr(scheme + 3);
    const auto end = std::min(host.find_first_of("/?#"), host.find("{path}"));
    const auto query = host.find("{query}");
    if (!http::parse_authority(host.substr(0, std::min(end, query)))) {
        return "the name of the host must be written out, with a / behind it";
    }
    return std::nullopt;
}

/// The same for a rewrite.
std::optional<std::string> wrong_rewrite(std::string_view to)
{
    if (!to.starts_with('/') && !to.starts_with("{path}")) return "expected a path, which begins with /";
    if (to.contains("{query}") || to.contains('?')) return "the query stays as it is, and is no part of a path";
    const auto path = http::canonicalize(fill_in(to, "/x", "x", ""));
    if (!path || !path->names_file()) return "this is no path that can be asked for";
    return std::nullopt;
}

toml_reader::value_reader headers(toml_reader& r, std::vector<header>& into)
{
    return r.pairs("headers", [&](const toml::key& name, const std::string& value, const toml::node& node) {
        const std::string_view written = name.str();
        if (!is_field_name(written)) {
            r.complain(name.source(), fmt::format("`{}` is no name of a header", written));
        } else if (is_reserved(written)) {
            r.complain(name.source(), fmt::format("`{}` is set by the server itself", written));
        } else if (!is_field_value(value)) {
            r.complain(node.source(), "the value of a header has no control characters");
        } else {
            add_up(into, {{std::string(written), value}});
        }
    });
}

toml_reader::value_reader error_pages(toml_reader& r, std::map<unsigned, std::string>& into)
{
    return r.pairs("error_pages", [&](const toml::key& name, const std::string& value, const toml::node& node) {
        unsigned code = 0;
        const std::string_view digits = name.str();
        const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), code).ptr;
        if (end != digits.data() + digits.size() || code < 400 || code > 599) {
            r.complain(name.source(), fmt::format("expected a status from 400 to 599, not `{}`", digits));
        } else if (const auto path = http::canonicalize(value); !path || !path->names_file()) {
            r.complain(node.source(), "expected the path of a page of this site, which begins with /");
        } else {
            into[code] = path->relative();
        }
    });
}

/// A route as it is written, which may do one thing only.
struct written_route {
    std::string path;
    std::string redirect_to;
    std::string rewrite_to;
    unsigned code = 0;
    unsigned status = 0;
    std::vector<header> headers;
};

action action_of(const written_route& w)
{
    if (!w.redirect_to.empty()) {
        return redirect{w.redirect_to, w.code == 0 ? http::status::found : static_cast<http::status>(w.code)};
    }
    if (!w.rewrite_to.empty()) return rewrite{w.rewrite_to};
    if (w.status != 0) return fixed_status{static_cast<http::status>(w.status)};
    return {};
}

void read_route(toml_reader& r, const toml::table& table, std::vector<route>& into, hidden_routes& so_far)
{
    written_route w;
    const auto code = [&](const toml::node& node) {
        constexpr std::array<std::int64_t, 5> known{301, 302, 303, 307, 308};
        const auto value = node.value_exact<std::int64_t>().value_or(0);
        if (std::ranges::find(known, value) != known.end()) {
            w.code = static_cast<unsigned>(value);
        } else {
            r.complain(node.source(), "expected the status of a redirect: 301, 302, 303, 307 or 308");
        }
    };
    const auto checked = [&](std::string& text, std::optional<std::string> (*wrong)(std::string_view)) {
        return [&r, &text, wrong](const toml::node& node) {
            r.text(text)(node);
            if (const auto why = wrong(text); node.is_string() && why) r.complain(node.source(), *why);
        };
    };
    const auto path = [&](const toml::node& node) {
        r.text(w.path)(node);
        if (node.is_string() && !kind_of(w.path)) {
            r.complain(node.source(),
                       fmt::format("`{}` is no path of a route: expected /a, /a/* for all beneath, or *.php "
                                   "for an ending",
                                   w.path));
        }
    };
    r.read(table, "site.route",
           {{"path", path},
            {"redirect", checked(w.redirect_to, wrong_address)},
            {"code", code},
            {"rewrite", checked(w.rewrite_to, wrong_rewrite)},
            {"status", r.whole(w.status, 400, 599)},
            {"headers", headers(r, w.headers)}});

    const auto has = [&](std::string_view name) { return table.contains(name) ? 1 : 0; };
    const int actions = has("redirect") + has("rewrite") + has("status");
    if (has("path") == 0) r.complain(table.source(), "a route needs a `path`");
    if (actions > 1) r.complain(table.source(), "a route does one thing: `redirect`, `rewrite` or `status`");
    if (actions == 0 && has("headers") == 0) {
        r.complain(table.source(), "this route does nothing: expected `redirect`, `rewrite`, `status` or `headers`");
    }
    if (has("code") == 1 && has("redirect") == 0) r.complain(table.source(), "`code` belongs to a `redirect`");
    into.push_back({std::move(w.path), action_of(w), std::move(w.headers)});
    const std::string& last = into.back().path;
    if (const auto by = so_far.add(into.back()); by && kind_of(last)) {
        r.warn(table.source(), fmt::format("the route `{}` can never be reached: `{}` before it has all its paths",
                                           last, into[*by].path));
    }
}

/// What can be said of a site, and at the top level of the one that has no table of its own.
keys site_keys(toml_reader& r, static_rules& into)
{
    return {{"root", r.text(into.root)},
            {"links_into", r.texts(into.links_into)},
            {"index", r.texts(into.index)},
            {"try", r.texts(into.tries)},
            {"listing", r.choice(into.directories, {{"off", listing::off}, {"on", listing::on}})},
            {"cache_control", r.text(into.cache_control)},
            {"headers", headers(r, into.headers)},
            {"error_pages", error_pages(r, into.error_pages)},
            {"route", r.tables("site.route", [&r, &into, so_far = hidden_routes()](const toml::table& t) mutable {
                 read_route(r, t, into.routes, so_far);
             })}};
}

bool is_site_name(std::string_view name)
{
    if (name.starts_with("*.")) name.remove_prefix(2);
    const auto parts = http::parse_authority(name);
    return parts && parts->host == name && !name.contains('*');
}

/// All sites, once it is known what they have in common.
void read_sites(toml_reader& r, const toml::node& node, settings& s)
{
    std::set<std::string> taken;
    static_rules common = s.files;
    common.root.clear();
    common.routes.clear();
    const auto one = [&](const toml::table& table) {
        site next{.names = {}, .is_default = false, .files = common};
        const auto names = [&](const toml::node& written) {
            r.texts(next.names)(written);
            for (const std::string& name : next.names) {
                if (!is_site_name(name)) {
                    r.complain(written.source(),
                               fmt::format("`{}` is no name of a site: expected example.org or *.example.org", name));
                } else if (!taken.insert(canonical_host(name)).second) {
                    r.complain(written.source(), fmt::format("`{}` is the name of another site already", name));
                }
            }
        };
        keys known = site_keys(r, next.files);
        known.push_back({"names", names});
        known.push_back({"default", r.yes_or_no(next.is_default)});
        r.read(table, "site", known);
        if (!table.contains("root")) r.complain(table.source(), "a site needs a `root`");
        if (next.names.empty() && !next.is_default) {
            r.complain(table.source(), "nobody can ask for this site: expected `names`, or `default = true`");
        }
        if (next.is_default && (!s.files.root.empty() || std::ranges::any_of(s.sites, &site::is_default))) {
            r.complain(table.source(), "there is a default site already");
        }
        s.sites.push_back(std::move(next));
    };
    r.tables("site", one)(node);
}

toml_reader::value_reader addresses(toml_reader& r, std::vector<std::string>& into)
{
    return [&](const toml::node& node) {
        r.texts(into)(node);
        for (const std::string& where : into) {
            if (!io::address::parse(where)) {
                r.complain(node.source(), fmt::format("`{}` is not an address: expected ADDRESS:PORT with a numeric "
                                                      "address, as 127.0.0.1:8080, [::1]:8080 or :8080, or unix:/PATH",
                                                      where));
            }
        }
    };
}

toml_reader::value_reader log_target_text(toml_reader& r, std::string& into)
{
    return [&](const toml::node& node) {
        r.text(into)(node);
        if (const auto target = parse_log_target(into); !target) r.complain(node.source(), target.error());
    };
}

keys log_keys(toml_reader& r, log_rules& into)
{
    return {{"access", log_target_text(r, into.access)},
            {"error", log_target_text(r, into.error)},
            {"format", r.choice(into.form, {{"combined", log_form::combined}, {"json", log_form::json}})},
            {"request_id",
             r.choice(into.told_ids, {{"errors", ids_in_answers::errors}, {"always", ids_in_answers::always}})}};
}

/// Where a proxy speaks from: networks, or "unix:" for all that connect to a unix socket.
toml_reader::value_reader origins(toml_reader& r, proxy_rule& into, const std::vector<proxy_rule>& all)
{
    return r.each_text([&](const std::string& text, const toml::node& node) {
        const auto warn_of_earlier = [&](bool there_is_one) {
            if (there_is_one)
                r.warn(node.source(), fmt::format("`{}` is in a [[proxy]] before this one, which counts", text));
        };
        if (text == "unix:" || text == "unix") {
            warn_of_earlier(std::ranges::any_of(all, &proxy_rule::from_unix));
            into.from_unix = true;
            return;
        }
        const auto n = http::parse_network(text);
        if (!n) {
            std::string what =
                fmt::format("`{}` is no network: expected an address, 10.0.0.0/8, 2001:db8::/32 or unix:", text);
            if (const auto around = http::network_around(text)) {
                what += fmt::format(", all zero behind its prefix; did you mean {}?", around->text());
            }
            r.complain(node.source(), what);
            return;
        }
        const auto has_it = [&](const http::network& other) { return other.contains(*n); };
        warn_of_earlier(
            std::ranges::any_of(all, [&](const proxy_rule& p) { return std::ranges::any_of(p.from, has_it); }));
        if (n->contains(*http::parse_network("0.0.0.0/0"))) {
            r.warn(node.source(), fmt::format("`{}`: everybody is believed, whatever address he says he has", text));
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
            {"protocol", r.yes_or_no(next.begins_with_header)},
            {"header", r.choice(next.field, {{"X-Forwarded-For", std::optional(field_id::x_forwarded_for)},
                                             {"Forwarded", std::optional(field_id::forwarded)}})}});
    const auto* from = table.get("from");
    if (from == nullptr || (from->is_array() && from->as_array()->empty())) {
        r.complain(table.source(), "a proxy needs `from`: the addresses or networks that it speaks from, or unix:");
    }
    if (!next.begins_with_header && !table.contains("header")) {
        r.complain(table.source(), "this proxy says nothing of its clients: expected `protocol = true` or a `header`");
    }
    into.push_back(std::move(next));
}

keys all_keys(toml_reader& r, settings& s)
{
    keys all{{"listen", addresses(r, s.listen)},
             {"workers", r.whole(s.workers, 1, 1024)},
             {"io", r.choice(s.engine, {{"auto", io::engine_choice::automatic},
                                        {"uring", io::engine_choice::uring},
                                        {"epoll", io::engine_choice::epoll}})},
             {"spare_workers", r.whole(s.spare_workers, 1, 1024)},
             {"control", r.text(s.control)},
             {"user", r.text(s.user)},
             {"group", r.text(s.group)},
             {"log", r.table("log", log_keys(r, s.log))},
             {"stats", r.table("stats", {{"allow", r.choice(s.stats.allow, {{"none", stats_rules::who::none},
                                                                            {"loopback", stats_rules::who::loopback},
                                                                            {"all", stats_rules::who::all}})}})},
             {"cache", r.table("cache", {{"pages", r.whole(s.cache.pages, 1, 1024 * 1024)},
                                         {"memory_bytes", r.whole(s.cache.memory, 0, 1024 * gigabyte)},
                                         {"largest_page_bytes", r.whole(s.cache.largest_page, 0, gigabyte)},
                                         {"largest_text_bytes", r.whole(s.cache.largest_text, 0, gigabyte)}})},
             {"patience", r.table("patience", {{"idle_seconds", r.seconds(s.patience.idle)},
                                               {"head_seconds", r.seconds(s.patience.head)},
                                               {"stall_seconds", r.seconds(s.patience.stall)},
                                               {"linger_seconds", r.seconds(s.patience.linger)},
                                               {"grace_seconds", r.seconds(s.patience.grace)},
                                               {"least_bytes_a_second", r.whole(s.patience.least_rate, 1, gigabyte)}})},
             {"limits",
              r.table("limits",
                      {{"connections", r.whole(s.connections, 1, 10'000'000)},
                       {"connections_per_address", r.whole(s.clients.connections_per_address, 0, 10'000'000)},
                       {"requests_per_second_per_address", r.whole(s.clients.requests_per_second, 0, 1'000'000'000)},
                       {"requests_burst_per_address", r.whole(s.clients.burst, 1, 1'000'000)},
                       {"target_bytes", r.whole(s.limits.target_bytes, 16, 64 * 1024)},
                       {"head_bytes", r.whole(s.limits.head_bytes, 256, 1024 * 1024)},
                       {"fields", r.whole(s.limits.fields, 1, http::max_fields)},
                       {"body_bytes", r.whole(s.limits.body_bytes, 0, 1024 * gigabyte)}})}};
    all.push_back({"proxy", r.tables("proxy", [&](const toml::table& t) { read_proxy(r, t, s.proxies); })});
    for (key& k : site_keys(r, s.files)) all.push_back(std::move(k));
    return all;
}

}  // namespace

std::expected<settings, std::vector<complaint>> read_configuration(std::string_view text, std::string_view file_name,
                                                                   settings base)
{
    toml_reader r(file_name);
    const auto document = r.parse(text);
    if (!document) return std::unexpected(r.complaints());

    settings s = std::move(base);
    keys known = all_keys(r, s);
    // The top level first, wherever it stands: the sites have from it what they do not say.
    known.push_back({"site", [](const toml::node&) {}});
    r.read(*document, "", known);
    if (const auto* sites = document->get("site")) read_sites(r, *sites, s);
    if (auto wrong = r.complaints(); !wrong.empty()) return std::unexpected(std::move(wrong));
    s.warnings = r.warnings();
    return s;
}

std::expected<settings, std::vector<complaint>> load_configuration(const std::string& file_name, settings base)
{
    errno = 0;  // an empty file fails too, as a stream sees it
    std::ifstream file(file_name);
    std::ostringstream text;
    if (!file || (!(text << file.rdbuf()) && errno != 0)) {
        return std::unexpected(std::vector{fmt::format("{}: cannot be read: {}", file_name, std::strerror(errno))});
    }
    return read_configuration(text.str(), file_name, std::move(base));
}

}  // namespace server
