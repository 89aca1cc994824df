// SPDX-License-Identifier: MIT
#include "server/cgi_farm/environment.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "http/characters.hpp"
#include "http/list.hpp"
#include "server/messages/runner_messages.hpp"

namespace server {
namespace {

using http::field_id;

/// The variables in the order in which they were set first.
class variables {
  public:
    void set(std::string_view name, std::string_view value)
    {
        std::string text = fmt::format("{}={}", name, value);
        if (std::string* there = find(name)) {
            *there = std::move(text);
        } else {
            all_.push_back(std::move(text));
        }
    }
    void set_unless_empty(std::string_view name, std::string_view value)
    {
        if (!value.empty()) set(name, value);
    }
    /// The whole string of this variable; null if it is not set.
    [[nodiscard]] std::string* find(std::string_view name)
    {
        const auto found = std::ranges::find_if(
            all_, [&](std::string_view v) { return v.starts_with(name) && v.substr(name.size()).starts_with('='); });
        return found == all_.end() ? nullptr : &*found;
    }
    [[nodiscard]] std::vector<std::string> take() { return std::move(all_); }

  private:
    std::vector<std::string> all_;
};

// ---- the paths

/// An encoded slash, which is a NUL in a canonical path, cannot be expressed in a decoded path; a program that prints a
/// line with the path would be deceived by a newline. RFC 3875 section 4.1.5 permits a
/// server to refuse both.
bool can_be_passed(std::string_view path) { return std::ranges::none_of(path, http::is_control); }

/// RFC 3875 section 4.1.6: the file that the rest of the path would name if it was the path of a request.
std::string translated(std::string_view document_root, std::string_view path_info)
{
    if (document_root.ends_with('/')) document_root.remove_suffix(1);
    return fmt::format("{}{}", document_root, path_info);
}

/// The target without its scheme and authority, which an absolute-form target has (RFC 9112 section 3.2.2).
std::string request_uri(std::string_view target)
{
    const std::size_t scheme_end = target.find("://");
    if (target.starts_with('/') || scheme_end == std::string_view::npos) return std::string(target);
    target.remove_prefix(scheme_end + 3);
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    return target.starts_with('/') ? std::string(target) : fmt::format("/{}", target);
}

// ---- the server

/// RFC 3875 section 4.1.14: the host that the client asked for. Without one, as HTTP/1.0 allows, the address.
std::string server_name(const script_request& r)
{
    if (!r.head->host.empty()) return std::string(r.head->host);
    if (r.server_address.empty()) return "localhost";
    return r.server_address.contains(':') ? fmt::format("[{}]", r.server_address) : std::string(r.server_address);
}

/// RFC 3875 section 4.1.15: there must be a port. A unix socket has none, but the client of the proxy before it does.
std::string server_port(const script_request& r)
{
    if (!r.server_port.empty()) return std::string(r.server_port);
    return fmt::format("{}", r.head->port.value_or(r.is_https ? 443 : 80));
}

void describe_server(variables& all, const script_request& r)
{
    all.set("PATH", usual_path_of_programs);
    all.set("GATEWAY_INTERFACE", "CGI/1.1");  // section 4.1.4
    all.set("SERVER_SOFTWARE", "occwserv");   // section 4.1.17
    all.set("SERVER_NAME", server_name(r));
    all.set("SERVER_PORT", server_port(r));
    all.set_unless_empty("SERVER_ADDR", r.server_address);
    all.set("DOCUMENT_ROOT", r.document_root);
}

// ---- the request

/// RFC 3875 sections 4.1.8 and 4.1.9. The name of a client's host is not looked up; the RFC has the address stand for
/// it. REMOTE_IDENT (4.1.10), REMOTE_USER (4.1.11) and AUTH_TYPE (4.1.1) are absent, since the server authenticates
/// nobody: a value would claim that it did.
void describe_client(variables& all, const script_request& r)
{
    all.set("REMOTE_ADDR", r.remote_address);
    all.set_unless_empty("REMOTE_HOST", r.remote_address);
    all.set_unless_empty("REMOTE_PORT", r.remote_port);
}

/// A redirected request is GET, unless the client wants the head alone.
std::string_view method_of(const script_request& r)
{
    return r.is_redirected && r.head->method != http::method::head ? "GET" : r.head->method_text;
}

void describe_request(variables& all, const script_request& r)
{
    all.set("REQUEST_METHOD", method_of(r));  // RFC 3875 section 4.1.12
    all.set("SERVER_PROTOCOL",                // section 4.1.16
            r.head->version == http::version::http_1_0 ? "HTTP/1.0" : "HTTP/1.1");
    all.set("REQUEST_SCHEME", r.is_https ? "https" : "http");
    if (r.is_https) all.set("HTTPS", "on");
    all.set("REQUEST_URI", request_uri(r.request_target));
    all.set_unless_empty("UNIQUE_ID", r.request_id);
    all.set("REDIRECT_STATUS", "200");  // php-cgi does not run without it
}

void describe_script(variables& all, const script_request& r)
{
    all.set("SCRIPT_NAME", r.script_name);  // section 4.1.13
    all.set("SCRIPT_FILENAME", r.script_file);
    all.set("QUERY_STRING", r.query);  // section 4.1.7: also if it is empty
    if (r.path_info.empty()) return;   // sections 4.1.5 and 4.1.6: either both or neither
    all.set("PATH_INFO", r.path_info);
    all.set("PATH_TRANSLATED", translated(r.document_root, r.path_info));
}

// ---- the fields

/// Fields that concern the connection (RFC 9110 section 7.6.1) or were acted upon by the server, and `Proxy`, which
/// programs would take for their configuration (CVE-2016-5385).
bool is_for_the_server(const http::field& f)
{
    switch (f.id) {
        case field_id::connection:
        case field_id::expect:
        case field_id::proxy:
        case field_id::te:
        case field_id::trailer:
        case field_id::transfer_encoding:
        case field_id::upgrade:
            return true;
        default:
            return http::equal_ignoring_case(f.name, "keep-alive") ||
                   http::equal_ignoring_case(f.name, "proxy-connection");
    }
}

/// These have variables of their own: Content-Length (RFC 3875 section 4.1.2), Content-Type (4.1.3), and Host, which
/// the target may overrule.
bool has_own_variable(const http::field& f)
{
    return f.id == field_id::content_length || f.id == field_id::content_type || f.id == field_id::host;
}

bool has_credentials(const http::field& f)
{
    return f.id == field_id::authorization || f.id == field_id::proxy_authorization;
}

/// After a redirect the body is gone, and so is what described it.
bool describes_body(const http::field& f)
{
    constexpr std::string_view prefix = "content-";
    return http::equal_ignoring_case(f.name.substr(0, prefix.size()), prefix);
}

/// In a name with another character that would become `_` too, two fields would share one variable. Some programs also
/// pass variables to a shell, where any other character is dangerous.
bool has_plain_name(const http::field& f)
{
    return std::ranges::all_of(f.name, [](char c) { return http::is_alpha(c) || http::is_digit(c) || c == '-'; });
}

bool is_named_in_connection(const http::request_head& head, std::string_view name)
{
    for (const http::field& f : head.fields()) {
        if (f.id != field_id::connection) continue;
        http::list_cursor options(f.value);
        while (auto option = options.next()) {
            if (http::equal_ignoring_case(*option, name)) return true;
        }
    }
    return false;
}

bool is_passed(const script_request& r, const cgi_rules& rules, const http::field& f)
{
    if (is_for_the_server(f) || has_own_variable(f) || !has_plain_name(f)) return false;
    if (has_credentials(f) && !rules.passes_authorization) return false;
    if (describes_body(f) && r.is_redirected) return false;
    return !is_named_in_connection(*r.head, f.name);
}

/// RFC 3875 section 4.1.18.
std::string variable_of(std::string_view field_name)
{
    std::string name = "HTTP_";
    for (const char c : field_name) {
        const char lower = http::to_lower(c);
        name += lower >= 'a' && lower <= 'z' ? static_cast<char>(lower - 'a' + 'A') : c == '-' ? '_' : c;
    }
    return name;
}

/// Fields whose value is not a list. Joined lines would be a value that nobody sent; and if the server chose one line,
/// the program could see another value than a proxy in front.
bool is_single(const http::field& f)
{
    constexpr std::array ids{field_id::authorization,
                             field_id::date,
                             field_id::if_modified_since,
                             field_id::if_range,
                             field_id::if_unmodified_since,
                             field_id::last_event_id,
                             field_id::origin,
                             field_id::proxy_authorization,
                             field_id::range,
                             field_id::referer,
                             field_id::sec_fetch_site,
                             field_id::user_agent};
    constexpr std::array<std::string_view, 3> names{"content-range", "from", "max-forwards"};
    return std::ranges::find(ids, f.id) != ids.end() ||
           std::ranges::any_of(names, [&](std::string_view n) { return http::equal_ignoring_case(f.name, n); });
}

std::unexpected<http::error> refuse(http::status code, std::string_view text)
{
    return std::unexpected(http::error{code, text});
}
constexpr std::string_view repeated_text = "A field that has a single value is repeated.";

/// Lines of one field are joined as a list (RFC 9110 section 5.3); those of Cookie have a separator of their own
/// (RFC 9113 section 8.2.3).
std::expected<void, http::error> pass(variables& all, const http::field& f)
{
    const std::string name = variable_of(f.name);
    std::string* const earlier = all.find(name);
    if (earlier && is_single(f)) return refuse(http::status::bad_request, repeated_text);
    if (earlier) {
        earlier->append(f.id == field_id::cookie ? "; " : ", ").append(f.value);
    } else {
        all.set(name, f.value);
    }
    return {};
}

std::expected<void, http::error> pass_fields(variables& all, const script_request& r, const cgi_rules& rules)
{
    all.set_unless_empty("HTTP_HOST", r.head->authority);
    for (const http::field& f : r.head->fields()) {
        if (!is_passed(r, rules, f)) continue;
        if (auto passed = pass(all, f); !passed) return passed;
    }
    return {};
}

std::expected<void, http::error> describe_body(variables& all, const script_request& r)
{
    if (r.is_redirected) return {};
    if (r.content_length) all.set("CONTENT_LENGTH", fmt::format("{}", *r.content_length));
    if (r.head->is_repeated(field_id::content_type)) return refuse(http::status::bad_request, repeated_text);
    if (const auto type = r.head->find(field_id::content_type)) all.set("CONTENT_TYPE", *type);
    return {};
}

// ---- all of it

std::expected<void, http::error> check_size(const std::vector<std::string>& all)
{
    std::size_t bytes = 0;
    for (const std::string& v : all) {
        if (v.contains('\0')) return refuse(http::status::bad_request, "The request contains a NUL.");
        if (v.size() >= longest_variable)
            return refuse(http::status::request_header_fields_too_large, "A field is too long for a program.");
        bytes += v.size() + 1 + sizeof(char*);
    }
    if (bytes > longest_environment)
        return refuse(http::status::request_header_fields_too_large, "The fields are too long for a program.");
    return {};
}

}  // namespace

std::expected<std::vector<std::string>, http::error> environment_of(const script_request& r, const cgi_rules& rules)
{
    if (!can_be_passed(r.script_name) || !can_be_passed(r.path_info))
        return refuse(http::status::not_found, "The path contains a character that cannot be passed to a program.");

    variables all;
    describe_server(all, r);
    describe_client(all, r);
    describe_request(all, r);
    describe_script(all, r);
    if (auto described = describe_body(all, r); !described) return std::unexpected(described.error());
    if (auto passed = pass_fields(all, r, rules); !passed) return std::unexpected(passed.error());
    for (const cgi_rules::variable& v : rules.environment) all.set(v.name, v.value);

    std::vector<std::string> strings = all.take();
    if (auto fits = check_size(strings); !fits) return std::unexpected(fits.error());
    return strings;
}

}  // namespace server
