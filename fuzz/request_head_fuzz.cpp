// SPDX-License-Identifier: MIT
// Checks that the result of the scan does not depend on how the bytes were split, that the parser refuses what the scan
// refuses, and that a parsed head, written out and parsed again, is the same.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "http/request.hpp"

namespace {

using http::head_scan;
using http::request_head;

using answer = std::expected<std::optional<std::size_t>, http::error>;

void check(bool condition)
{
    if (!condition) std::abort();
}

// Small enough for inputs of a few hundred bytes to exceed them.
http::limits small_limits()
{
    http::limits limits;
    limits.method_bytes = 16;
    limits.target_bytes = 100;
    limits.head_bytes = 400;
    limits.fields = 10;
    return limits;
}

answer scan_in_steps(std::string_view text, const http::limits& limits, std::size_t longest_step)
{
    std::minstd_rand random(static_cast<std::uint32_t>(text.size() + 1));
    head_scan scan;
    for (std::size_t size = 0;;) {
        const answer got = scan.feed(text.substr(0, size), limits);
        if (!got || *got || size == text.size()) return got;
        size = std::min(text.size(), size + 1 + random() % longest_step);
    }
}

void check_view(std::string_view all, std::string_view part)
{
    check(part.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    check(part.empty() || (part.data() >= all.data() && part.data() + part.size() <= all.data() + all.size()));
}

std::string written(const request_head& head)
{
    std::string text(head.method_text);
    text.append(" ").append(head.target);
    text += head.version == http::version::http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
    for (const http::field& f : head.fields()) text.append(f.name).append(":").append(f.value).append("\r\n");
    return text + "\r\n";
}

void check_same(const request_head& a, const request_head& b)
{
    check(a.method_text == b.method_text && a.method == b.method && a.target == b.target && a.version == b.version);
    check(a.authority == b.authority && a.host == b.host && a.port == b.port && a.form == b.form);
    check(a.content_length == b.content_length && a.chunked == b.chunked && a.keep_alive == b.keep_alive);
    check(a.expect_continue == b.expect_continue && a.upgrade == b.upgrade);
    check(a.fields().size() == b.fields().size());
    for (std::size_t i = 0; i < a.fields().size(); ++i) {
        check(a.fields()[i].name == b.fields()[i].name && a.fields()[i].value == b.fields()[i].value);
        check(a.find(a.fields()[i].name) == b.find(a.fields()[i].name));
        if (a.fields()[i].id != http::field_id::none) check(a.find(a.fields()[i].id) == a.find(a.fields()[i].name));
    }
}

// The list of a field must have the lines with its id, in their order.
void check_lists(const request_head& head)
{
    std::string joined;
    for (const http::field& wanted : head.fields()) {
        if (wanted.id == http::field_id::none) continue;
        std::string expected;
        for (const http::field& f : head.fields())
            if (f.id == wanted.id) expected.append(expected.empty() ? "" : ", ").append(f.value);
        check(head.find_list(wanted.id, joined) == expected);
    }
}

// Also for a refused head: its fields determine the form of the error response.
void check_fields(std::string_view text, const request_head& head)
{
    for (const http::field& f : head.fields()) {
        check_view(text, f.name);
        check_view(text, f.value);
    }
    check_lists(head);
}

void check_head(std::string_view text, const http::limits& limits)
{
    request_head head;
    const bool understood = http::parse_head(text, limits, head).has_value();
    check_fields(text, head);
    if (!understood) return;
    for (std::string_view view : {head.line, head.target, head.authority, head.host, head.upgrade})
        check_view(text, view);
    check(!(head.chunked && head.content_length));
    check(head.version == http::version::http_1_0 || !head.host.empty());

    request_head again;
    const std::string copy = written(head);
    check(http::parse_head(copy, limits, again).has_value());
    check_same(head, again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const http::limits& limits : {http::limits{}, small_limits()}) {
        const answer whole = scan_in_steps(text, limits, text.size() + 1);
        head_scan at_once;
        check(at_once.feed(text, limits) == whole);
        check(scan_in_steps(text, limits, 1) == whole);
        check(scan_in_steps(text, limits, 40) == whole);

        request_head head;
        if (whole && *whole) {
            check(**whole <= limits.head_bytes);
            check_head(text.substr(0, **whole), limits);
        } else {
            check(!http::parse_head(text, limits, head));
            check_fields(text, head);
        }
    }
    return 0;
}
