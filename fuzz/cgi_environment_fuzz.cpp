// SPDX-License-Identifier: MIT
// Checks that every variable has a plain name of its own and a value without NUL and newline, that those named HTTP_
// come from a field that may be passed, and that the configured variables win. The input is a byte of flags, a path
// that ends in a newline, and the head of a request.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "http/characters.hpp"
#include "http/list.hpp"
#include "server/cgi_farm/environment.hpp"

namespace {

void check(bool condition)
{
    if (!condition) std::abort();
}

struct variable {
    std::string_view name;
    std::string_view value;
};

std::vector<variable> split(const std::vector<std::string>& environment)
{
    std::vector<variable> all;
    for (const std::string_view v : environment) {
        check(v.contains('='));
        all.push_back({.name = v.substr(0, v.find('=')), .value = v.substr(v.find('=') + 1)});
    }
    return all;
}

const variable* find(const std::vector<variable>& all, std::string_view name)
{
    const auto found = std::ranges::find(all, name, &variable::name);
    return found == all.end() ? nullptr : &*found;
}

bool is_name(std::string_view text)
{
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return !text.empty() && letters.contains(text.front()) &&
           std::ranges::all_of(text, [&](char c) { return letters.contains(c) || (c >= '0' && c <= '9'); });
}

// Written independently of the code under test.
bool becomes(std::string_view field, std::string_view variable)
{
    if (!variable.starts_with("HTTP_")) return false;
    return std::ranges::equal(field, variable.substr(5), [](char f, char v) {
        if (f >= 'a' && f <= 'z') return v == f - 0x20;
        return (f >= 'A' && f <= 'Z') || (f >= '0' && f <= '9') ? v == f : f == '-' && v == '_';
    });
}

bool comes_from_a_field(const variable& v, const http::request_head& head)
{
    for (const http::field& f : head.fields())
        if (becomes(f.name, v.name)) return v.value.starts_with(f.value);
    return false;
}

bool is_named_in_connection(const http::request_head& head, const variable& v)
{
    for (const http::field& f : head.fields()) {
        if (!http::equal_ignoring_case(f.name, "connection")) continue;
        http::list_cursor options(f.value);
        while (const auto option = options.next())
            if (becomes(*option, v.name)) return true;
    }
    return false;
}

void check_fields(const std::vector<variable>& all, const server::script_request& r, const server::cgi_rules& rules)
{
    constexpr std::array<std::string_view, 10> never{
        "HTTP_PROXY",   "HTTP_CONNECTION",        "HTTP_KEEP_ALIVE", "HTTP_PROXY_CONNECTION", "HTTP_TE",
        "HTTP_TRAILER", "HTTP_TRANSFER_ENCODING", "HTTP_UPGRADE",    "HTTP_CONTENT_LENGTH",   "HTTP_CONTENT_TYPE"};
    for (const std::string_view name : never) check(find(all, name) == nullptr);
    if (!rules.passes_authorization) check(!find(all, "HTTP_AUTHORIZATION") && !find(all, "HTTP_PROXY_AUTHORIZATION"));
    for (const variable& v : all) {
        if (!v.name.starts_with("HTTP_") || v.name == "HTTP_HOST") continue;
        check(comes_from_a_field(v, *r.head) && !is_named_in_connection(*r.head, v));
    }
}

void check_variables(const std::vector<variable>& all)
{
    std::set<std::string_view> names;
    for (const variable& v : all) {
        check(is_name(v.name) && names.insert(v.name).second);
        check(v.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    }
    for (const std::string_view required :
         {"GATEWAY_INTERFACE", "PATH", "QUERY_STRING", "REMOTE_ADDR", "REQUEST_METHOD", "SCRIPT_NAME", "SERVER_NAME",
          "SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE"})
        check(find(all, required) != nullptr);
    for (const std::string_view absent : {"AUTH_TYPE", "REMOTE_IDENT", "REMOTE_USER"})
        check(find(all, absent) == nullptr);
    check((find(all, "PATH_INFO") == nullptr) == (find(all, "PATH_TRANSLATED") == nullptr));
}

// Of a variable that a request set, and of one that none can set.
void check_configured(const server::script_request& r, server::cgi_rules rules, const std::vector<variable>& before)
{
    rules.environment = {{.name = std::string(before.back().name), .value = "configured"},
                         {.name = "lower_case", .value = "configured"}};
    const auto environment = server::environment_of(r, rules);
    check(environment.has_value());
    const std::vector<variable> all = split(*environment);
    check(all.size() == before.size() + 1);
    for (const server::cgi_rules::variable& v : rules.environment) check(find(all, v.name)->value == "configured");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t end = text.find('\n', 1);
    if (size < 2 || end == std::string_view::npos) return 0;

    http::limits limits;
    limits.fields = http::max_fields;
    http::request_head head;
    if (!http::parse_head(text.substr(end + 1), limits, head)) return 0;

    const auto flags = static_cast<unsigned char>(text[0]);
    const std::string_view target = head.target;
    const server::script_request r{.head = &head,
                                   .script_name = (flags & 8U) != 0 ? text.substr(1, end - 1) : "/x.cgi",
                                   .path_info = text.substr(1, end - 1),
                                   .query = target.substr(std::min(target.find('?'), target.size())),
                                   .request_target = target,
                                   .script_file = "/srv/x.cgi",
                                   .document_root = "/srv",
                                   .content_length = head.content_length,
                                   .remote_address = "192.0.2.7",
                                   .remote_port = "",
                                   .server_address = "",
                                   .server_port = "",
                                   .request_id = "",
                                   .is_https = (flags & 1U) != 0,
                                   .is_redirected = (flags & 2U) != 0};
    server::cgi_rules rules;
    rules.passes_authorization = (flags & 4U) != 0;
    const auto environment = server::environment_of(r, rules);
    if (std::ranges::any_of(r.path_info, http::is_control)) check(!environment);
    if (!environment) return 0;

    const std::vector<variable> all = split(*environment);
    check_variables(all);
    check_fields(all, r, rules);
    check_configured(r, rules, all);
    return 0;
}
