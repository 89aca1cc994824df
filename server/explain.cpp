// SPDX-License-Identifier: MIT
#include "server/explain.hpp"

#include <cstdio>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "csp/kernel.hpp"
#include "http/content_coding.hpp"
#include "http/media_type.hpp"
#include "http/request.hpp"
#include "io/engine.hpp"
#include "server/front_end/understand.hpp"
#include "server/policy.hpp"
#include "server/static_farm/get_page.hpp"
#include "server/static_farm/lookup.hpp"

namespace server {
namespace {

constexpr int wrong_usage = 2;

/// The head of a GET for that address.
std::string head_for(std::string_view url)
{
    if (const auto scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
    url = url.substr(0, url.find('#'));
    const auto path = std::min(url.find_first_of("/?"), url.size());
    const std::string_view host = url.substr(0, path);
    const std::string_view target = url.substr(path);
    return fmt::format("GET {}{} HTTP/1.1\r\nHost: {}\r\n\r\n", target.starts_with('/') ? "" : "/", target, host);
}

void tell(std::string_view what, std::string_view how) { fmt::print("{:<10}{}\n", what, how); }

void tell_answer(http::status code)
{
    tell("answer", fmt::format("{} {}", http::number(code), http::reason_phrase(code)));
}

void tell_fields(const response_fields& fields)
{
    std::string_view lines = fields.lines();
    for (auto end = lines.find("\r\n"); end != std::string_view::npos; end = lines.find("\r\n")) {
        tell("header", lines.substr(0, end));
        lines.remove_prefix(end + 2);
    }
}

std::string name_of(const settings& s, const exchange_record& x)
{
    if (x.site == x.by->nowhere()) return "none of this name";
    const site named = all_sites(s)[x.site];
    std::string name = fmt::format("{}", fmt::join(named.names, ", "));
    if (named.is_default) name += name.empty() ? "the default" : " (the default)";
    return fmt::format("{}, in {}", name, named.files.root);
}

std::string name_of(const action& a)
{
    if (const auto* to = std::get_if<redirect>(&a)) return fmt::format("redirect to {}", to->to);
    if (const auto* to = std::get_if<rewrite>(&a)) return fmt::format("rewrite to {}", to->to);
    if (const auto* to = std::get_if<fixed_status>(&a)) return fmt::format("status {}", http::number(to->code));
    return "headers only";
}

void tell_routes(const served_site& here, std::string_view path)
{
    const matched met = here.routes.match(path);
    for (const route_number r : met.headers) {
        const route& each = here.pages.files.routes[r];
        tell("route", fmt::format("{}: {}", each.path, name_of(each.then)));
    }
    if (met.headers.empty()) tell("route", "none");
}

csp::step<void> tell_file(const io::directory& root, const static_rules& rules, const found_entry& f)
{
    tell("file", fmt::format("{}/{}", rules.root, f.name));
    const auto path = io::real_path(f.entry);
    const auto base = io::real_path(root);
    if (path && base && *path != fmt::format("{}/{}", *base, f.name)) tell("link to", *path);
    if (http::media_type_of(f.name).by_coding == http::compression::in_vain) co_return;
    for (const auto c : {http::coding::brotli, http::coding::zstd, http::coding::gzip}) {
        const auto sidecar = co_await look_at(root, fmt::format("{}{}", f.name, http::suffix(c)));
        if (!sidecar) continue;
        tell("beside it", fmt::format("{}/{}{}", rules.root, sidecar->name,
                                      has_content_of(*sidecar, f) ? "" : ": not used, since it is older, or empty"));
    }
}

csp::process explanation(settings s, exchange x)
{
    const page_rules& rules = x->of_site().pages;
    if (auto file = co_await find_file(x->root(), rules.files, x->asked); file) {
        if (const auto* f = std::get_if<found_entry>(&*file)) co_await tell_file(x->root(), rules.files, *f);
    }
    const auto found = co_await get_page(x->root(), rules, x->asked, {});
    if (!found) {
        tell_answer(found.error().code);
        tell("why", found.error().text);
    } else if (const auto* page = std::get_if<frozen_page>(&*found)) {
        tell_answer(http::status::ok);
        tell_fields(fields_of_whole((*page)->in.front()->about));
        tell("cache", fmt::format("kept when it is asked for, as {:016x} {}", x->asked.site_key, x->asked.path.view()));
    } else if (const auto* large = std::get_if<large_file>(&*found)) {
        tell_answer(http::status::ok);
        tell_fields(fields_of_whole(large->about));
        tell("cache", fmt::format("not kept: larger than {} bytes; sent from the disk", s.cache.largest_page));
    } else {
        const response& r = std::get<response>(*found);
        tell_answer(r.code);
        tell_fields(r.fields);
        tell("cache", "not kept");
    }
}

}  // namespace

int explain(const std::string& url, settings s)
{
    auto opened = make_policy(s);
    if (!opened) {
        for (const std::string& wrong : opened.error()) fmt::print(stderr, "{}\n", wrong);
        return wrong_usage;
    }
    auto x = std::make_unique<exchange_record>(http1_carrier{});
    x->by = frozen_policy(std::move(*opened));
    x->asked.own_head = head_for(url);
    http::request_head head;
    if (const auto understood = http::parse_head(x->asked.own_head, x->by->limits, head); !understood) {
        tell_answer(understood.error().code);
        tell("why", understood.error().text);
        return 0;
    }
    understand_request(head, *x);
    tell("site", name_of(s, *x));
    if (const auto target = http::parse_target(head)) tell_routes(x->of_site(), target->path.view());
    if (x->moved) {
        tell_answer(x->moved->code);
        tell_fields(redirection(x->of_site().pages, x->asked, *x->moved).fields);
        return 0;
    }
    if (x->refused) {
        tell_answer(x->refused->code);
        tell("why", x->refused->text);
        return 0;
    }
    csp::kernel kernel({}, io::engines(io::engine_choice::epoll));
    if (const auto ready = kernel.prepare(); !ready) {
        fmt::print(stderr, "occwserv: {}\n", ready.error());
        return 1;
    }
    return kernel.run(explanation(std::move(s), std::move(x))) == csp::outcome::finished ? 0 : 1;
}

}  // namespace server
