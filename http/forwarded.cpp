// SPDX-License-Identifier: MIT
#include "http/forwarded.hpp"

#include <algorithm>
#include <array>

#include "http/list.hpp"

namespace http {
namespace {

/// Whether the quote at this index is escaped, and so is content of a quoted string (RFC 9110 section 5.6.4).
bool is_escaped(std::string_view text, std::size_t quote)
{
    std::size_t backslashes = 0;
    while (backslashes < quote && text[quote - 1 - backslashes] == '\\') ++backslashes;
    return backslashes % 2 == 1;
}

/// Removes and returns the last element of a list. Commas within quotes do not separate elements.
std::string_view take_last(std::string_view& list)
{
    bool quoted = false;
    std::size_t begin = list.size();
    for (; begin > 0; --begin) {
        const char c = list[begin - 1];
        if (c == '"' && !is_escaped(list, begin - 1)) quoted = !quoted;
        if (c == ',' && !quoted) break;
    }
    const std::string_view element = trim(list.substr(begin));
    list = list.substr(0, begin == 0 ? 0 : begin - 1);
    return element;
}

/// Removes and returns the first "name=value" of an element. A quoted value may contain semicolons.
std::string_view take_pair(std::string_view& element)
{
    bool quoted = false;
    std::size_t end = 0;
    for (; end < element.size(); ++end) {
        if (element[end] == '"' && !(quoted && is_escaped(element, end))) quoted = !quoted;
        if (element[end] == ';' && !quoted) break;
    }
    const std::string_view pair = trim(element.substr(0, end));
    element.remove_prefix(end == element.size() ? end : end + 1);
    return pair;
}

std::string_view without_quotes(std::string_view text)
{
    const bool quoted = text.size() >= 2 && text.starts_with('"') && text.ends_with('"');
    return quoted ? text.substr(1, text.size() - 2) : text;
}

/// The value of the `for` parameter in an element of Forwarded; empty if there is none.
std::string_view client_in(std::string_view element)
{
    while (!element.empty()) {
        const std::string_view pair = take_pair(element);
        const auto sign = pair.find('=');
        if (sign != std::string_view::npos && equal_ignoring_case(pair.substr(0, sign), "for"))
            return without_quotes(pair.substr(sign + 1));
    }
    return {};
}

/// Parses "192.0.2.1" or "[2001:db8::1]", either with a port or without (RFC 7239 section 6), and "2001:db8::1", which
/// many proxies write.
std::optional<ip_address> parse_node(std::string_view node)
{
    if (node.starts_with('[')) {
        const auto end = node.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view behind = node.substr(end + 1);
        if (!behind.empty() && !behind.starts_with(':')) return std::nullopt;
        return parse_ip(node.substr(1, end - 1));
    }
    const auto colon = node.find(':');
    const bool has_port = colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos;
    return parse_ip(has_port ? node.substr(0, colon) : node);
}

/// The hop that a node denotes. No client has the unspecified address (RFC 4291 section 2.5.2).
forwarded_hop hop_of(std::string_view node)
{
    auto address = parse_node(node);
    if (address && address->is_none()) address.reset();
    return {address};
}

constexpr std::array<std::string_view, 12> forwarding_fields{"Forwarded",        "Via",
                                                             "CDN-Loop",         "X-Real-IP",
                                                             "X-Client-IP",      "X-Cluster-Client-IP",
                                                             "True-Client-IP",   "CF-Connecting-IP",
                                                             "Fastly-Client-IP", "X-Remote-IP",
                                                             "X-Original-IP",    "X-Original-Host"};
constexpr std::string_view forwarding_prefix = "X-Forwarded";  // -For, -Host, -Proto, -Port, -Server, -By, -Ssl

bool is_forwarding_field(std::string_view name)
{
    return equal_ignoring_case(name.substr(0, forwarding_prefix.size()), forwarding_prefix) ||
           std::ranges::any_of(forwarding_fields, [&](auto known) { return equal_ignoring_case(name, known); });
}

}  // namespace

bool is_passed_on(std::string_view head) noexcept
{
    // Every line after the request line is a field line; empty lines may precede the request line.
    while (head.starts_with("\r\n")) head.remove_prefix(2);
    for (auto end = head.find("\r\n"); end != std::string_view::npos; end = head.find("\r\n")) {
        head.remove_prefix(end + 2);
        if (is_forwarding_field(head.substr(0, head.find(':')))) return true;
    }
    return false;
}

bool forwarded_hops::go_to_previous_line()
{
    const std::string_view wanted = by_ == field_id::forwarded ? "Forwarded" : "X-Forwarded-For";
    while (!head_.empty()) {
        const auto end_before = head_.rfind("\r\n");
        const bool is_first = end_before == std::string_view::npos;
        const std::string_view line = is_first ? head_ : head_.substr(end_before + 2);
        head_ = is_first ? std::string_view() : head_.substr(0, end_before);
        const auto colon = line.find(':');
        if (colon != std::string_view::npos && equal_ignoring_case(line.substr(0, colon), wanted)) {
            list_ = line.substr(colon + 1);
            return true;
        }
    }
    return false;
}

std::optional<forwarded_hop> forwarded_hops::next()
{
    for (;;) {
        while (list_.empty()) {
            if (!go_to_previous_line()) return std::nullopt;
        }
        const std::string_view element = take_last(list_);
        if (element.empty()) continue;  // RFC 9110 section 5.6.1.2
        return hop_of(by_ == field_id::forwarded ? client_in(element) : element);
    }
}

}  // namespace http
