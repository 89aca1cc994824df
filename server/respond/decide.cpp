// SPDX-License-Identifier: MIT
#include "server/respond/decide.hpp"

#include <utility>
#include <variant>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace server {
namespace {

using http::method;
using http::status;

void refuse(exchange_record& x, const http::error& why) { x.decided.emplace<error_response>(why); }

/// Whether programs answer by this route, which then acts.
bool run_program(exchange_record& x, route_number by)
{
    if (!std::holds_alternative<cgi_rules>(x.of_site().pages.files.routes[by].then)) return false;
    x.asked.acting = by;
    x.decided = program_run();
    return true;
}

/// Applies the routes of the site. Returns true if they have already determined the answer.
bool follow_routes(exchange_record& x)
{
    request& asked = x.asked;
    const served_site& here = x.of_site();
    const matched found = here.pages.routes.match(asked.path.view());
    asked.routes = found.headers;
    asked.site_key = key_of(here, asked.routes);
    if (!found.acting) return false;

    const route& r = here.pages.files.routes[*found.acting];
    const std::string_view rest = rest_of(r, asked.path.view());
    if (const auto* to = std::get_if<redirect>(&r.then)) {
        x.decided = redirect_to{to->code, fill_in(to->to, asked.path.view(), rest, asked.query)};
        return true;
    }
    if (const auto* to = std::get_if<fixed_status>(&r.then)) {
        refuse(x, {to->code, ""});
        return true;
    }
    if (run_program(x, *found.acting)) return true;
    asked.acting = found.acting;
    // Of the routes that match the rewritten path only one with programs is applied, so rewrites cannot loop.
    if (const auto* to = std::get_if<rewrite>(&r.then)) {
        auto path = http::canonicalize(fill_in(to->to, asked.path.view(), rest, ""));
        if (!path) {
            refuse(x, path.error());
            return true;
        }
        asked.path = std::move(*path);
        const auto there = here.pages.routes.match(asked.path.view()).acting;
        return there && run_program(x, *there);
    }
    return false;
}

}  // namespace

void decide(exchange_record& x)
{
    request& asked = x.asked;
    if (follow_routes(x)) return;
    asked.path_hash = XXH3_64bits_withSeed(asked.path.view().data(), asked.path.view().size(), asked.site_key);
    const bool is_options = asked.method == method::options;
    if (asked.method != method::get && asked.method != method::head && !is_options) {
        refuse(x, {status::method_not_allowed, "This page supports only GET, HEAD and OPTIONS."});
    } else if (http::is_hidden(asked.path)) {
        refuse(x, {status::forbidden, "Names that begin with a dot are not served."});
    } else if (is_options) {
        x.decided = allowed_methods();
    }
}

void decide_redirect(exchange_record& x)
{
    request& asked = x.asked;
    if (asked.method != method::head) asked.method = method::get;
    asked.acting.reset();
    asked.conditions = {};
    asked.is_conditional = false;
    x.decided = page_lookup();
    decide(x);
}

}  // namespace server
