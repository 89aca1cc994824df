// SPDX-License-Identifier: MIT
#include "http/precondition.hpp"

#include "http/date.hpp"
#include "http/entity_tag.hpp"

namespace http {
namespace {

using namespace std::chrono_literals;

constexpr bool reads(method m) noexcept { return m == method::get || m == method::head; }

// RFC 9110 section 13.1.4: a date that is none is ignored, and so is any if the representation has none.
bool unmodified_since(std::string_view field, const validators& current) noexcept
{
    const auto date = parse_date(field, current.now);
    return !date || !current.modified || *current.modified <= *date;
}

// RFC 9110 section 13.1.3, likewise. A date of the future cannot be one of ours (8.8.2.1), and would hide every change
// until it has come; it has been invalid since RFC 2616 section 14.25.
bool modified_since(std::string_view field, const validators& current) noexcept
{
    const auto date = parse_date(field, current.now);
    return !date || *date > current.now || !current.modified || *current.modified > *date;
}

// RFC 9110 section 13.1.5. The date must be the very same, and strong, as all are that last_modified() yields.
bool is_same_representation(std::string_view if_range, const validators& current) noexcept
{
    if (const auto tag = parse_entity_tag(if_range)) {
        const auto ours = parse_entity_tag(current.etag);
        return ours && matches(*tag, *ours, comparison::strong);
    }
    const auto date = parse_date(if_range, current.now);
    return date && current.modified && *date == *current.modified;
}

}  // namespace

std::optional<std::chrono::sys_seconds> last_modified(std::chrono::nanoseconds file_time,
                                                      std::chrono::system_clock::time_point looked_at) noexcept
{
    constexpr auto tick = 20ms;  // the clock of file times may stand still for so long
    const auto second = std::chrono::floor<std::chrono::seconds>(file_time);
    if (second < 24h || looked_at.time_since_epoch() - second < 1s + tick) return std::nullopt;
    return std::chrono::sys_seconds(second);
}

outcome evaluate(method m, const preconditions& given, const validators& current) noexcept
{
    // A list without a tag names nothing: If-Match is false then, and If-None-Match true (13.1.1, 13.1.2).
    if (given.if_match) {
        if (!names(*given.if_match, parse_entity_tag(current.etag), comparison::strong)) return outcome::failed;
    } else if (!given.if_unmodified_since.empty()) {
        if (!unmodified_since(given.if_unmodified_since, current)) return outcome::failed;
    }

    if (given.if_none_match) {
        if (names(*given.if_none_match, parse_entity_tag(current.etag), comparison::weak))
            return reads(m) ? outcome::not_modified : outcome::failed;
    } else if (!given.if_modified_since.empty() && reads(m)) {
        if (!modified_since(given.if_modified_since, current)) return outcome::not_modified;
    }
    return outcome::proceed;
}

bool range_applies(method m, const preconditions& given, const validators& current) noexcept
{
    if (given.range.empty() || m != method::get) return false;
    return !given.if_range || is_same_representation(*given.if_range, current);
}

}  // namespace http
