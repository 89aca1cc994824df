// SPDX-License-Identifier: MIT
// Checks that the elements of a parsed list are entity-tags and match the list, and that preconditions built from the
// input follow the precedence of RFC 9110 section 13.2.2.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/date.hpp"
#include "http/entity_tag.hpp"
#include "http/precondition.hpp"

namespace {

using namespace std::chrono_literals;
using http::comparison;
using http::entity_tag;
using http::method;
using http::outcome;

constexpr std::chrono::sys_seconds now{1'780'000'000s};

void check(bool condition)
{
    if (!condition) std::abort();
}

std::string written(const entity_tag& tag) { return (tag.weak ? "W/" : "") + std::string(tag.opaque); }

std::vector<entity_tag> tags_of(std::string_view list)
{
    std::vector<entity_tag> tags;
    http::entity_tag_cursor cursor(list);
    while (const auto tag = cursor.next()) tags.push_back(*tag);
    check(!cursor.next());
    return tags;
}

void check_list(std::string_view text)
{
    const auto tags = tags_of(text);
    std::string list;
    for (const entity_tag& tag : tags) {
        check(tag.opaque.size() >= 2 && tag.opaque.front() == '"' && tag.opaque.back() == '"');
        check(http::parse_entity_tag(written(tag)) == tag);
        check(http::names(text, tag, comparison::weak));
        check(tag.weak || http::names(text, tag, comparison::strong));
        list.append(written(tag)).append(",");
    }
    check(tags_of(list) == tags);
}

void check_preconditions(std::string_view first, std::string_view second)
{
    const http::validators current{"\"a\"", now - 1h, now};
    for (method m : {method::get, method::head, method::post}) {
        const outcome not_there = m == method::post ? outcome::failed : outcome::not_modified;
        const auto match = http::evaluate(m, {.if_match = first}, current);
        check(match != outcome::not_modified);
        check(http::evaluate(m, {.if_match = first, .if_unmodified_since = second}, current) == match || first.empty());
        const auto none_match = http::evaluate(m, {.if_none_match = first}, current);
        check(none_match == outcome::proceed || none_match == not_there);
        check(http::evaluate(m, {.if_none_match = first, .if_modified_since = second}, current) == none_match ||
              first.empty());
        check(http::evaluate(m, {.if_unmodified_since = first}, current) != outcome::not_modified);
        const auto since = http::evaluate(m, {.if_modified_since = first}, current);
        check(since == outcome::proceed || (since == outcome::not_modified && m != method::post));
        const auto both = http::evaluate(m, {.if_match = first, .if_none_match = second}, current);
        if (match == outcome::failed) check(both == outcome::failed);

        const bool applies = http::range_applies(m, {.if_range = first, .range = "bytes=0-"}, current);
        if (applies) check(m == method::get);
        if (applies && !first.empty()) check(first == "\"a\"" || http::parse_date(first, now) == current.modified);
        check(!http::range_applies(m, {.if_range = first}, current));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_list(text);
    const std::size_t line = std::min(text.find('\n'), text.size());
    check_preconditions(text.substr(0, line), text.substr(std::min(line + 1, text.size())));
    return 0;
}
