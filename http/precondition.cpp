// SPDX-License-Identifier: MIT
#include "http/precondition.hpp"

#include "http/date.hpp"
#include "http/entity_tag.hpp"

namespace http {
namespace {

using namespace std::chrono_literals;

constexpr bool reads(method m) noexcept { return m == method::get || m == method::head; }

/// RFC 9110 section 13.1.4: the field is ignored if it is not a date, or if the representation has no date.
bool unmodified_since(std::string_view field, const validators& current) noexcept
{
    const auto date = parse_date(field, current.now);
    return !date || !current.modified || *current.modified <= *date;
}

/// RFC 9110 section 13.1.3: ignored in the same cases, and if the date is in the future. We never sent such a date
/// (8.8.2.1), and it would hide every change until that date; RFC 2616 section 14.25 called it invalid.
bool modified_since(std::string_view field, const validators& current) noexcept
{
    const auto date = parse_date(field, current.now);
    return !date || *date > current.now || !current.modified || *current.modified > *date;
}

/// RFC 9110 section 13.1.5. The date must be exactly equal, and strong, as every date of last_modified() is.
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
    constexpr auto tick = 20ms;  // the clock of file times may have this resolution
    const auto second = std::chrono::floor<std::chrono::seconds>(file_time);
    if (second < 24h || looked_at.time_since_epoch() - second < 1s + tick) return std::nullopt;
    return std::chrono::sys_seconds(second);
}

outcome evaluate(method m, const preconditions& given, const validators& current) noexcept
{
    // A list without a tag matches nothing: If-Match is then false, and If-None-Match is true (13.1.1, 13.1.2).
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
