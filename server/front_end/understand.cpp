// SPDX-License-Identifier: MIT
#include "server/front_end/understand.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "http/list.hpp"
#include "http/request.hpp"
#include "http/target.hpp"
#include "server/respond/decide.hpp"

namespace server {
namespace {

using http::field_id;
using http::method;
using http::status;
using has_request = connection::has_request;

/// After CONNECT the client may send tunnel data at once, which third parties may have chosen and which must not be
/// taken for requests. For an unknown method, what follows the head is unknown too.
bool is_followed_by_a_body_only(const http::request_head& head)
{
    return head.method != method::connect && head.method != method::other;
}

/// Whether the end of the request is known, so that the next one can be found. It is not if the client waits for "100
/// Continue": after another response it may or may not send the body.
bool is_end_known(const http::request_head& head) { return !head.expect_continue && is_followed_by_a_body_only(head); }

std::unique_ptr<unread_body> body_after(const http::request_head& head)
{
    auto body = std::make_unique<unread_body>();
    if (head.chunked) {
        body->rest = http::chunked_decoder();
    } else {
        body->rest = *head.content_length;
        body->length = head.content_length;
    }
    body->awaits_continue = head.expect_continue;
    return body;
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
    if (!head.is_repeated(id)) return head.find(id);
    return head.find_list(id, asked.own_fields.emplace_front());
}

/// Notes the preferred media types. They also apply to error pages.
void note_form(const http::request_head& head, request& asked)
{
    asked.accept = list_of(head, field_id::accept, asked).value_or("");
}

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

void refuse(exchange_record& x, const http::error& why) { x.decided.emplace<error_response>(why); }

void note_request(const http::request_head& head, request& asked)
{
    asked.method = head.method;
    asked.line = head.line;
    asked.authority = head.authority;
    asked.referer = head.find(field_id::referer).value_or("");
    asked.user_agent = head.find(field_id::user_agent).value_or("");
    note_preferences(head, asked);
}

/// Why the request cannot be answered, whatever its path.
std::optional<http::error> unsupported(const http::request_head& head)
{
    if (wants_https(head))
        return http::error{status::misdirected_request,
                           "An https URI cannot be requested over an unencrypted connection."};
    if (head.form == http::target_form::authority)
        return http::error{status::method_not_allowed, "This server is not a proxy and does not open tunnels."};
    return std::nullopt;
}

/// Whether the connection may persist, if the end of the request is known.
bool persists(const http::request_head& head, const has_request& request, std::string_view rest)
{
    // While draining, requests that have already arrived are still answered.
    const bool is_last = request.is_last && rest.empty();
    return head.keep_alive && !is_last;
}

/// What happens to the connection after the response. If a connection is closed with unread input, the kernel resets it
/// and the client may lose the response, so it lingers (RFC 9112, section 9.6).
std::variant<http1_carrier::close, http1_carrier::keep_open> what_follows(const http::request_head& head,
                                                                          const connection& c,
                                                                          const has_request& request,
                                                                          const http::limits& sizes)
{
    const std::string_view rest = c.input.text().substr(*request.head);
    const bool end_is_known = is_end_known(head);
    if (!persists(head, request, rest) || !end_is_known) {
        return http1_carrier::close{.lingers = !end_is_known || head.has_body() || !rest.empty(),
                                    .takes_chunks = head.version == http::version::http_1_1};
    }
    return http1_carrier::keep_open{.is_told = head.version == http::version::http_1_0,
                                    .next_is_here = !head.has_body() && is_answered_at_once(rest, sizes)};
}

/// Refuses a request whose head is invalid. Its end is unknown (RFC 9112, section 9.3).
void refuse_head(exchange_record& x, const http::error& why, std::string_view sent, const http::request_head& head)
{
    x.asked.method = method_of(sent);
    x.asked.line = head.line;
    note_form(head, x.asked);
    refuse(x, why);
}

void refuse_method(exchange_record& x)
{
    refuse(x, {status::not_implemented, "The server does not know this request method."});
}

/// Refuses a request beyond a limit for one client.
void refuse_for_now(exchange_record& x, const has_request& request)
{
    const http::error too_many{status::too_many_requests,
                               "Your address sends too many requests (requests_per_second_per_address)."};
    error_response later{.why = request.head ? too_many : request.head.error()};
    later.with.add("Retry-After", static_cast<std::uint64_t>(request.retry_after->count()));
    x.decided = std::move(later);
}

}  // namespace

void understand_request(const http::request_head& head, exchange_record& x)
{
    note_request(head, x.asked);
    const auto site = x.by->names.find(head.authority);
    x.site = site.value_or(x.by->nowhere());
    if (const auto why = unsupported(head)) return refuse(x, *why);
    const bool is_known = head.method != method::other;
    if (head.form == http::target_form::asterisk && is_known) {
        // A request about the server as a whole (RFC 9110, section 9.3.7) is answered like one about any page.
        x.decided = allowed_methods();
        return;
    }
    if (head.form == http::target_form::asterisk) return refuse_method(x);
    auto target = http::parse_target(head);
    if (!target) return refuse(x, target.error());
    if (!site) return refuse(x, {status::misdirected_request, "This server has no site with this name."});
    x.asked.path = std::move(target->path);
    x.asked.query = target->query;
    decide(x);
    // A program may know more methods than the server (RFC 3875, section 4.3).
    if (!is_known && !x.is<program_run>()) refuse_method(x);
}

exchange understand(conn&& c, http::request_head& head)
{
    const auto& request = std::get<has_request>(c->now);
    // Every member has its initializer; make_unique() would zero the whole record before.
    auto x = std::make_unique_for_overwrite<exchange_record>();
    x->by = std::move(c->by);
    x->site = x->by->names.by_default().value_or(x->by->nowhere());
    x->began = csp::core::here().now();

    http1_carrier& carrier = *x->carrier.http1();
    // If parking refused the head before it was complete, the part that arrived still has the method and the line.
    const auto sent = c->input.text().substr(0, request.head.value_or(std::string_view::npos));
    const auto parsed = http::parse_head(sent, x->by->limits, head);
    if (request.head && parsed) {
        carrier.then = what_follows(head, *c, request, x->by->limits);
        if (head.has_body()) [[unlikely]] {
            carrier.body = body_after(head);
            carrier.body->persists_if_read = head.expect_continue && is_followed_by_a_body_only(head) &&
                                             persists(head, request, c->input.text().substr(*request.head));
        }
        understand_request(head, *x);
    } else {
        carrier.then = http1_carrier::close{.lingers = true, .takes_chunks = false};
        refuse_head(*x, request.head ? parsed.error() : request.head.error(), sent, head);
    }
    if (request.retry_after) refuse_for_now(*x, request);
    carrier.connection = std::move(c);
    return x;
}

}  // namespace server
