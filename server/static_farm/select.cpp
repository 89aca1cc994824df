// SPDX-License-Identifier: MIT
#include "server/static_farm/select.hpp"

#include <random>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "http/precondition.hpp"
#include "http/range.hpp"

namespace server {
namespace {

using http::status;

response part_of(const description& about, std::string_view media_type, std::uint64_t bytes)
{
    return {status::partial_content, part_fields(about, media_type, bytes)};
}

response one_range(const description& about, const http::byte_range& range)
{
    response r = part_of(about, about.media_type, range.bytes);
    r.fields.add("Content-Range", http::content_range(range, about.bytes).text());
    r.content.emplace_back(slice{.offset = range.first, .bytes = range.bytes});
    return r;
}

/// A multipart boundary. It is random, so that no author of content can include it: nobody knows these 128 bits in
/// advance. Each multipart response draws a new one from the kernel; such responses are rare.
std::string drawn_boundary()
{
    std::random_device random;
    return fmt::format("part-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

response several_ranges(const description& about, const http::range_list& ranges)
{
    const std::string boundary = drawn_boundary();
    const http::multipart_framing parts{.boundary = boundary, .content_type = about.media_type, .size = about.bytes};
    response r = part_of(about, parts.response_type(), parts.body_bytes(ranges));
    for (const http::byte_range& range : ranges) {
        r.content.emplace_back(parts.part_head(range));
        r.content.emplace_back(slice{.offset = range.first, .bytes = range.bytes});
    }
    r.content.emplace_back(parts.closing_line());
    return r;
}

error_response no_such_range(const description& about)
{
    error_response n{.why = {status::range_not_satisfiable, "The page has no bytes in the range asked for."},
                     .with = {}};
    n.with.add("Content-Range", http::unsatisfied_range(about.bytes).text());
    return n;
}

}  // namespace

std::expected<response, error_response> select(const request& asked, const description& about,
                                               std::chrono::sys_seconds now)
{
    if (asked.is_conditional) {
        const http::validators current{.etag = about.etag, .modified = about.modified, .now = now};
        const http::outcome met = http::evaluate(asked.method, asked.conditions, current);
        if (met == http::outcome::failed) return std::unexpected(error_response{precondition_failed, {}});
        if (met == http::outcome::not_modified) {
            return response(status::not_modified, metadata_fields(about));
        }
        if (http::range_applies(asked.method, asked.conditions, current)) {
            const http::requested_ranges wanted = http::parse_range(asked.conditions.range, about.bytes);
            if (wanted.answer == http::range_answer::unsatisfiable) return std::unexpected(no_such_range(about));
            if (wanted.ranges.size() == 1) return one_range(about, wanted.ranges[0]);
            if (wanted.ranges.size() > 1) return several_ranges(about, wanted.ranges);
        }
    }
    response whole(status::ok, full_fields(about));
    if (about.bytes > 0) whole.content.emplace_back(slice{.offset = 0, .bytes = about.bytes});
    return whole;
}

}  // namespace server
