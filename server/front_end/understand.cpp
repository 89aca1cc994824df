// SPDX-License-Identifier: MIT
#include "server/front_end/understand.hpp"

#include <optional>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "http/list.hpp"
#include "http/request.hpp"
#include "http/target.hpp"

namespace server {
namespace {

using http::field_id;
using http::method;
using http::status;

/// Notes the body that follows the head, so that the next request is found after it. Returns whether the end of the
/// request is known. It is not if the client waits for "100 Continue": after another response it may or may not send
/// the body. After CONNECT the client may send tunnel data at once, which third parties may have chosen and which must
/// not be taken for requests. For an unknown method, what follows the head is unknown too.
bool note_body(const http::request_head& head, connection& c)
{
    c.now = connection::phase::idle;  // it was `head` if the head arrived in several pieces
    if (head.expect_continue || head.method == method::connect || head.method == method::other) return false;
    if (!head.has_body()) return true;
    c.now = connection::phase::body;
    if (head.chunked) {
        c.skipping = http::chunked_decoder();
    } else {
        c.skipping = *head.content_length;
    }
    return true;
}

/// Whether the input after this request begins with a complete head, or with one that is invalid already.
bool is_answered_at_once(std::string_view rest, const http::limits& sizes)
{
    if (rest.empty()) return false;
    const auto length = http::head_scan().feed(rest, sizes);
    return !length || length->has_value();
}

/// The method in an invalid head. The response to HEAD has no content, even if it is an error (RFC 9110, section
/// 9.3.2).
method method_of(std::string_view head)
{
    while (head.starts_with("\r\n")) head.remove_prefix(2);
    const auto space = head.find(' ');
    return space == std::string_view::npos ? method::other : http::parse_method(head.substr(0, space));
}

/// Whether the target is an https URI, for which a connection must be secured (RFC 9110, section 7.4).
bool wants_https(const http::request_head& head)
{
    return head.form == http::target_form::absolute && http::equal_ignoring_case(head.target.substr(0, 6), "https:");
}

/// All lines of a list field as one value, which the request stores if there are several (RFC 9110, section 5.3). If
/// the field is not a list, the combined value is invalid and is treated accordingly.
std::optional<std::string_view> list_of(const http::request_head& head, field_id id, request& asked)
{
    std::string joined;
    const auto one = head.find_list(id, joined);
    return joined.empty() ? one : asked.own_fields.emplace_front(std::move(joined));
}

/// Notes the preferred media types. They also apply to error pages.
void note_form(const http::request_head& head, request& asked)
{
    asked.accept = list_of(head, field_id::accept, asked).value_or("");
}

}  // namespace

/// Notes the codings, conditions and ranges of the request.
void note_preferences(const http::request_head& head, request& asked)
{
    using enum http::field_id;
    const auto list = [&](http::field_id id) { return list_of(head, id, asked); };
    note_form(head, asked);
    asked.accepted = http::parse_accept_encoding(list(accept_encoding));
    asked.conditions = {.if_match = list(if_match),
                        .if_none_match = list(if_none_match),
                        .if_modified_since = list(if_modified_since).value_or(""),
                        .if_unmodified_since = list(if_unmodified_since).value_or(""),
                        .if_range = list(if_range),
                        .range = list(range).value_or("")};
    asked.is_conditional = head.find(if_match) || head.find(if_none_match) || head.find(if_modified_since) ||
                           head.find(if_unmodified_since) || head.find(range);
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
        x.moved = elsewhere{to->code, fill_in(to->to, asked.path.view(), rest, asked.query)};
        return true;
    }
    if (const auto* to = std::get_if<fixed_status>(&r.then)) {
        x.refused = http::error{to->code, ""};
        return true;
    }
    asked.acting = found.acting;
    // Routes are not applied again to the rewritten path, so rewrites cannot loop.
    if (const auto* to = std::get_if<rewrite>(&r.then)) {
        auto path = http::canonicalize(fill_in(to->to, asked.path.view(), rest, ""));
        if (!path) {
            x.refused = path.error();
            return true;
        }
        asked.path = std::move(*path);
    }
    return false;
}

void understand_request(const http::request_head& head, exchange_record& x)
{
    request& asked = x.asked;
    asked.method = head.method;
    asked.line = head.line;
    asked.authority = head.authority;
    asked.referer = head.find(field_id::referer).value_or("");
    asked.user_agent = head.find(field_id::user_agent).value_or("");
    note_preferences(head, asked);

    const auto site = x.by->names.find(head.authority);
    x.site = site.value_or(x.by->nowhere());
    if (head.method == method::other) {
        x.refused = http::error{status::not_implemented, "The server does not know this request method."};
    } else if (wants_https(head)) {
        x.refused = http::error{status::misdirected_request,
                                "An https URI cannot be requested over an unencrypted connection."};
    } else if (head.form == http::target_form::asterisk) {
        // A request about the server as a whole (RFC 9110, section 9.3.7) is answered like one about any page.
    } else if (head.form == http::target_form::authority) {
        x.refused = http::error{status::method_not_allowed, "This server is not a proxy and does not open tunnels."};
    } else if (auto target = http::parse_target(head); !target) {
        x.refused = target.error();
    } else if (!site) {
        x.refused = http::error{status::misdirected_request, "This server has no site with this name."};
    } else {
        asked.path = std::move(target->path);
        asked.query = target->query;
        if (follow_routes(x)) return;
        asked.path_hash = XXH3_64bits_withSeed(asked.path.view().data(), asked.path.view().size(), asked.site_key);
        const bool for_pages =
            head.method == method::get || head.method == method::head || head.method == method::options;
        if (!for_pages) {
            x.refused = http::error{status::method_not_allowed, "This page supports only GET, HEAD and OPTIONS."};
        } else if (http::is_hidden(asked.path)) {
            x.refused = http::error{status::forbidden, "Names that begin with a dot are not served."};
        }
    }
}

exchange understand(conn&& c, http::request_head& head)
{
    connection& client = *c;
    auto x = std::make_unique<exchange_record>(http1_carrier{});
    if (client.is_probe) x->went_to = branch::probe;
    x->by = std::move(client.by);
    x->site = x->by->names.by_default().value_or(x->by->nowhere());
    x->began = csp::core::here().now();
    x->refused = client.refused;

    // If the head was refused before it was complete, the part that arrived still has the method and the request line.
    const auto sent = client.input.text().substr(0, x->refused ? std::string_view::npos : client.head_bytes);
    const auto understood = http::parse_head(sent, x->by->limits, head);
    if (!understood && !x->refused) x->refused = understood.error();
    if (x->refused) {
        x->asked.method = method_of(sent);
        x->asked.line = head.line;
        note_form(head, x->asked);
    }
    http1_carrier& carrier = *x->carrier.http1();
    client.next_is_here = false;
    bool more_may_come = true;  // after an error the end of the request is unknown (RFC 9112, section 9.3)
    if (!x->refused) {
        const bool end_is_known = note_body(head, client);
        // While draining, requests that have already arrived are still answered.
        const bool is_last = client.is_last && client.input.text().size() <= client.head_bytes;
        if (head.keep_alive && end_is_known && !is_last) {
            const bool as_told = head.version == http::version::http_1_0;
            carrier.then = as_told ? http1_carrier::fate::persists_as_told : http1_carrier::fate::persists;
            const auto rest = client.input.text().substr(client.head_bytes);
            client.next_is_here = !head.has_body() && is_answered_at_once(rest, x->by->limits);
        }
        more_may_come = !end_is_known || head.has_body() || client.input.text().size() > client.head_bytes;
        understand_request(head, *x);
    }
    if (client.retry_after) {
        x->moved.reset();
        if (!client.refused) {
            x->refused = http::error{status::too_many_requests,
                                     "Your address sends too many requests (requests_per_second_per_address)."};
        }
        x->refused_with.add("Retry-After", static_cast<std::uint64_t>(client.retry_after->count()));
        client.retry_after.reset();
    }
    // If a connection is closed with unread input, the kernel resets it and the client may lose the response (RFC 9112,
    // section 9.6).
    if (!carrier.persists() && more_may_come) client.now = connection::phase::lingering;
    carrier.connection = std::move(c);
    return x;
}

}  // namespace server
