// SPDX-License-Identifier: MIT
// Checks that the result does not depend on how the output was split, that every field of the result is valid and may
// be passed on, and that a head, written out and parsed again, is the same.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "http/characters.hpp"
#include "http/list.hpp"
#include "server/cgi_farm/script_head.hpp"

namespace {

using answer = std::expected<std::optional<server::script_head>, std::string>;
using kind = server::script_head::kind;

void check(bool condition)
{
    if (!condition) std::abort();
}

answer parse_in_steps(std::string_view text, std::size_t limit, std::size_t longest_step)
{
    std::minstd_rand random(static_cast<std::uint32_t>(text.size() + 1));
    server::script_head_parser parser(limit);
    for (std::size_t size = 0;;) {
        answer got = parser.feed(text.substr(0, size));
        if (!got || *got || size == text.size()) return got;
        size = std::min(text.size(), size + 1 + random() % longest_step);
    }
}

void check_same(const answer& a, const answer& b)
{
    check(a.has_value() == b.has_value());
    if (!a) {
        check(a.error() == b.error());
        return;
    }
    check(a->has_value() == b->has_value());
    if (!*a) return;
    const server::script_head& one = **a;
    const server::script_head& other = **b;
    check(one.what == other.what && one.code == other.code && one.fields.lines() == other.fields.lines());
    check(one.location == other.location && one.sendfile == other.sendfile && one.bytes == other.bytes);
    check(one.content_length == other.content_length && one.has_content_type == other.has_content_type);
}

void check_field(std::string_view line)
{
    constexpr std::array<std::string_view, 11> never{
        "connection", "content-length", "date",    "keep-alive", "server",           "status",
        "te",         "trailer",        "upgrade", "x-sendfile", "transfer-encoding"};
    const std::size_t colon = line.find(": ");
    check(colon != std::string_view::npos);
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 2);
    check(http::is_token(name) && !value.empty() && value == http::trim(value));
    check(http::find_not_field_char(value, 0) == value.size());
    for (const std::string_view n : never) check(!http::equal_ignoring_case(name, n));
    check(!http::equal_ignoring_case(name.substr(0, 6), "x-cgi-"));
}

void check_fields(std::string_view lines)
{
    while (!lines.empty()) {
        const std::size_t end = lines.find("\r\n");
        check(end != std::string_view::npos);
        check_field(lines.substr(0, end));
        lines.remove_prefix(end + 2);
    }
}

std::string written(const server::script_head& head)
{
    std::string text(head.fields.lines());
    if (head.what == kind::local_redirect) return text + "Location: " + head.location + "\n\n";
    text += fmt::format("Status: {}\n", http::number(head.code));
    if (!head.sendfile.empty()) text += fmt::format("X-Sendfile: {}\n", head.sendfile);
    if (head.content_length) text += fmt::format("Content-Length: {}\n", *head.content_length);
    return text + "\n";
}

void check_head(server::script_head head, std::string_view output)
{
    check(head.bytes <= output.size() && output[head.bytes - 1] == '\n');
    check(http::number(head.code) >= 200 && http::number(head.code) <= 599);
    check_fields(head.fields.lines());
    if (head.what == kind::local_redirect) check(head.location.starts_with('/') && head.fields.lines().empty());
    if (head.what == kind::client_redirect) check(!head.has_content_type);
    if (head.what == kind::client_redirect || head.what == kind::client_redirect_with_document)
        check(!head.location.empty() && http::number(head.code) / 100 == 3);

    // Written out, the fields with a meaning may be in another place among the others.
    const answer again = server::parse_script_head(written(head), 2 * output.size() + 64);
    check(again && *again);
    check((*again)->fields.lines().size() == head.fields.lines().size());
    head.fields = (*again)->fields;
    head.bytes = (*again)->bytes;
    check_same(again, head);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const std::size_t limit : {server::longest_script_head, std::size_t{64}}) {
        const answer whole = server::parse_script_head(text, limit);
        check_same(parse_in_steps(text, limit, 1), whole);
        check_same(parse_in_steps(text, limit, 16), whole);
        if (whole && *whole) {
            check((*whole)->bytes <= limit);
            check_head(**whole, text);
        } else if (whole) {
            check(!server::script_head_parser::why_unfinished(text).empty());
        }
    }
    (void)server::status_of_nph(text);
    return 0;
}
