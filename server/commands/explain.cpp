// SPDX-License-Identifier: MIT
#include "server/commands/explain.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "csp/kernel.hpp"
#include "http/content_coding.hpp"
#include "http/media_type.hpp"
#include "http/request.hpp"
#include "io/engine.hpp"
#include "server/configuration/policy.hpp"
#include "server/front_end/for_stats.hpp"
#include "server/front_end/understand.hpp"
#include "server/service/prospects.hpp"
#include "server/static_farm/answer.hpp"
#include "server/static_farm/get_page.hpp"
#include "server/static_farm/lookup.hpp"

namespace server {
namespace {

constexpr int wrong_usage = 2;

/// A host name that selects this site.
std::string host_name_of(const site& s)
{
    for (const std::string& name : s.names) {
        if (!name.starts_with("*.")) return name;
    }
    return s.names.empty() ? "localhost" : fmt::format("www{}", s.names.front().substr(1));
}

/// The host for an address without one: a name of the default site, or else of the first site.
std::string default_host(const settings& s)
{
    const std::vector<site> sites = all_sites(s);
    const auto by_default = std::ranges::find_if(sites, &site::is_default);
    return host_name_of(by_default != sites.end() ? *by_default : sites.front());
}

/// The head of a GET request for this address.
std::string request_head_for(std::string_view url, const settings& s)
{
    if (const auto scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
    url = url.substr(0, url.find('#'));
    const auto path = std::min(url.find_first_of("/?"), url.size());
    const std::string host = path == 0 ? default_host(s) : std::string(url.substr(0, path));
    const std::string_view target = url.substr(path);
    return fmt::format("GET {}{} HTTP/1.1\r\nHost: {}\r\n\r\n", target.starts_with('/') ? "" : "/", target, host);
}

void print_row(std::string_view what, std::string_view how) { fmt::print("{:<10}{}\n", what, how); }

void print_answer(http::status code)
{
    print_row("answer", fmt::format("{} {}", http::number(code), http::reason_phrase(code)));
}

void print_headers(const response_fields& fields)
{
    std::string_view lines = fields.lines();
    for (auto end = lines.find("\r\n"); end != std::string_view::npos; end = lines.find("\r\n")) {
        print_row("header", lines.substr(0, end));
        lines.remove_prefix(end + 2);
    }
}

std::string name_of(const settings& s, const exchange_record& x)
{
    if (x.site == x.by->nowhere()) return "none has this name";
    const site named = all_sites(s)[x.site];
    std::string name = fmt::format("{}", fmt::join(named.names, ", "));
    if (named.is_default) name += name.empty() ? "the default" : " (the default)";
    return fmt::format("{}, in {}", name, named.files.root);
}

std::string name_of(const cgi_rules& rules)
{
    switch (rules.what) {
        case cgi_rules::kind::directory:
            return fmt::format("the programs in {}", rules.path);
        case cgi_rules::kind::program:
            return fmt::format("the program {}", rules.path);
        case cgi_rules::kind::interpreter:
            return fmt::format("the interpreter {}", rules.path);
    }
    std::unreachable();
}

std::string name_of(const action& a)
{
    if (const auto* to = std::get_if<redirect>(&a)) return fmt::format("redirect to {}", to->to);
    if (const auto* to = std::get_if<rewrite>(&a)) return fmt::format("rewrite to {}", to->to);
    if (const auto* to = std::get_if<fixed_status>(&a)) return fmt::format("status {}", http::number(to->code));
    if (const auto* to = std::get_if<look_for>(&a)) return fmt::format("try {}", fmt::join(to->tries, ", "));
    if (const auto* to = std::get_if<cgi_rules>(&a)) return name_of(*to);
    return "headers only";
}

void print_routes(const served_site& here, std::string_view path)
{
    const matched met = here.pages.routes.match(path);
    for (const route_number r : met.headers) {
        const route& each = here.pages.files.routes[r];
        print_row("route", fmt::format("{}: {}", each.path, name_of(each.then)));
    }
    if (met.headers.empty()) print_row("route", "none");
}

// ---- programs

/// The rules by which programs answer the request; null if they do not.
const cgi_rules* programs_for(const exchange_record& x)
{
    if (!x.asked.acting || x.is<error_response>()) return nullptr;
    return std::get_if<cgi_rules>(&x.of_site().pages.files.routes[*x.asked.acting].then);
}

std::string limits_of(const cgi_rules& rules)
{
    std::vector<std::string> all;
    const auto add = [&](std::uint64_t most, std::string_view text) {
        if (most != 0) all.push_back(fmt::format(fmt::runtime(text), most));
    };
    add(static_cast<std::uint64_t>(rules.of_each.idle.count()), "{} s without output");
    add(static_cast<std::uint64_t>(rules.of_each.total.count()), "{} s in all");
    add(static_cast<std::uint64_t>(rules.of_each.cpu.count()), "{} s of processor time");
    add(rules.of_each.memory, "{} bytes of memory");
    add(rules.of_each.open_files, "{} open files");
    add(rules.of_each.output, "{} bytes of output");
    return fmt::format("{}", fmt::join(all, ", "));
}

void print_rules(const cgi_rules& rules)
{
    print_row("running", fmt::format("at most {} at once; {} more requests wait, each for {} s at most", rules.running,
                                     rules.waiting, rules.wait.count()));
    print_row("limits", limits_of(rules));
    if (!rules.user.empty())
        print_row("user", rules.group.empty() ? rules.user : fmt::format("{}, group {}", rules.user, rules.group));
    for (const cgi_rules::variable& v : rules.environment) print_row("variable", fmt::format("{}={}", v.name, v.value));
}

// ---- files

csp::step<void> print_file(const io::directory& root, const static_rules& rules, const found_entry& f)
{
    print_row("file", fmt::format("{}/{}", rules.root, f.name));
    const auto path = io::real_path(f.entry);
    const auto base = io::real_path(root);
    if (path && base && *path != fmt::format("{}/{}", *base, f.name)) print_row("link to", *path);
    if (http::media_type_of(f.name).by_coding == http::compression::useless) co_return;
    for (const auto c : {http::coding::brotli, http::coding::zstd, http::coding::gzip}) {
        const auto sidecar = co_await look_at(root, fmt::format("{}{}", f.name, http::suffix(c)));
        if (!sidecar) continue;
        print_row("encoded",
                  fmt::format("{}/{}{}", rules.root, sidecar->name,
                              has_content_of(*sidecar, f) ? "" : ": not used, because it is empty or older"));
    }
}

/// Prints the file that answers the request, if one does.
csp::step<void> print_found_file(const exchange_record& x)
{
    const page_rules& rules = x.of_site().pages;
    const auto file = co_await find_file(x.root(), rules.files, x.asked);
    if (!file) co_return;
    const auto* const f = std::get_if<found_entry>(&*file);
    if (f == nullptr) co_return;
    co_await print_file(x.root(), rules.files, *f);
    if (f->is_fallback)
        print_row("", "is the fallback for a missing file: cache lifetimes set for the requested path do not apply");
}

struct row {
    std::string_view what;
    std::string how;
};

/// Whether and under which key the cache keeps the page. The caller collects these rows before it moves the page into
/// the response, and prints them after the headers.
std::vector<row> rows_about_cache(const exchange_record& x, const std::optional<page_or_error>& found,
                                  std::size_t largest_page)
{
    if (!found || !*found) return {};
    if (std::holds_alternative<frozen_page>(**found)) {
        return {{"cache",
                 fmt::format("kept when requested, under the key {:016x} {}", x.asked.site_key, x.asked.path.view())}};
    }
    if (std::holds_alternative<response>(**found)) return {{"cache", "not kept"}};
    return {{"etag", "made from the content when requested"},
            {"cache", fmt::format("not kept: larger than {} bytes, sent from the disk", largest_page)}};
}

csp::step<void> print_error(const exchange_record& x, http::error why)
{
    const static_rules& rules = x.of_site().pages.files;
    const auto acting = x.of_site().pages.routes.match(x.asked.path.view()).acting;
    if (!why.text.empty()) {
        print_row("why", why.text);
    } else if (acting && std::holds_alternative<fixed_status>(rules.routes[*acting].then)) {
        print_row("why", fmt::format("the route {} sets this status", rules.routes[*acting].path));
    }
    const auto own = co_await find_error_page(x.root(), rules, why.code);
    print_row("page", own ? fmt::format("{}/{}", rules.root, own->name) : "built into the server");
}

/// Answers the request as the server does, and prints the result.
csp::process explanation(exchange x, std::size_t largest_page)
{
    std::optional<page_or_error> found;
    if (wants_page(*x)) {
        co_await print_found_file(*x);
        found = co_await get_page(x->root(), x->of_site().pages, x->asked, {});
    }
    const std::vector<row> cached = rows_about_cache(*x, found, largest_page);
    auto chosen = answer_to(*x, std::move(found));
    if (!chosen) chosen = co_await answer_with_error(*x, chosen.error());
    print_answer(chosen->code);
    if (x->sent.why) co_await print_error(*x, *x->sent.why);
    print_headers(chosen->fields);
    for (const row& each : cached) print_row(each.what, each.how);
}

/// A request from a client on the loopback interface.
exchange a_request(std::string head, policy by)
{
    auto from = std::make_unique<connection>(io::socket());
    from->client.text = "127.0.0.1";
    from->client.address = http::parse_ip(from->client.text).value_or(http::ip_address());
    auto x = std::make_unique<exchange_record>(http1_carrier{.connection = std::move(from)});
    x->by = frozen_policy(std::move(by));
    x->asked.own_head = std::move(head);
    return x;
}

}  // namespace

int explain(const std::string& url, const settings& s)
{
    const auto refuse = [](const std::vector<std::string>& wrong) {
        for (const std::string& each : wrong) fmt::print(stderr, "{}\n", each);
        return wrong_usage;
    };
    if (const auto wrong = closed_to_reading(s); !wrong.empty()) return refuse(wrong);
    auto opened = make_policy(s);
    if (!opened) return refuse(opened.error());
    exchange x = a_request(request_head_for(url, s), std::move(*opened));
    http::request_head head;
    if (const auto understood = http::parse_head(x->asked.own_head, x->by->limits, head); !understood) {
        print_answer(understood.error().code);
        print_row("why", understood.error().text);
        return 0;
    }
    print_row("request", fmt::format("GET {} for {}, from this machine", head.target, head.authority));
    understand_request(head, *x);
    print_row("site", name_of(s, *x));
    if (const auto target = http::parse_target(head)) print_routes(x->of_site(), target->path.view());
    if (is_for_stats(*x)) {
        print_answer(http::status::ok);
        print_row("why", "the server answers this itself, for the clients that [stats] allows");
        return 0;
    }
    if (const cgi_rules* const rules = programs_for(*x)) {
        print_row("answer", "that of the program");
        print_rules(*rules);
        return 0;
    }
    csp::kernel kernel({}, io::engines(io::engine_choice::epoll));
    if (const auto ready = kernel.prepare(); !ready) {
        fmt::print(stderr, "occwserv: {}\n", ready.error());
        return 1;
    }
    return kernel.run(explanation(std::move(x), s.cache.largest_page)) == csp::outcome::finished ? 0 : 1;
}

}  // namespace server
