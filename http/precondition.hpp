// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/method.hpp"

namespace http {

// The conditional fields of a request, each as one value: its lines joined (RFC 9110 section 5.3). Several lines of a
// field whose value is not a list make an invalid value. The optional ones tell an empty value from an absent field;
// the others are ignored when they are empty.
struct preconditions {
    std::optional<std::string_view> if_match{};
    std::optional<std::string_view> if_none_match{};
    std::string_view if_modified_since{};
    std::string_view if_unmodified_since{};
    std::optional<std::string_view> if_range{};
    std::string_view range{};
};

// What is known of the representation that would be sent: of this very coding, since each has its own tag (RFC 9110
// section 8.8.3.3).
struct validators {
    std::string_view etag{};                             // as sent in ETag, quoted; empty if it has none
    std::optional<std::chrono::sys_seconds> modified{};  // as sent in Last-Modified, if it is: see last_modified()
    std::chrono::sys_seconds now{};                      // as sent in Date
};

// What may be sent in Last-Modified for a file whose time was `file_time` at `looked_at`; nothing where a date would be
// useless or misleading. So every date that is sent is a strong validator (RFC 9110 section 8.8.2.2):
//
// - In the second of the change, and a moment longer, the file may change once more and keep its date. A client with
//   the date of the first version would take the second version for the same one: in If-Modified-Since, and worse, in
//   If-Range (section 13.1.5). A later request cannot tell whether that happened, so no date is sent until then.
// - A time in the future would have to be replaced (section 8.8.2.1) by one that changes with each look.
// - A time up to the end of the first day of 1970 is not that of a change: package managers and image builders set it.
[[nodiscard]] std::optional<std::chrono::sys_seconds> last_modified(
    std::chrono::nanoseconds file_time, std::chrono::system_clock::time_point looked_at) noexcept;

enum class outcome : std::uint8_t {
    proceed,       // answer as if there were no condition, but for the range: see range_applies
    not_modified,  // 304
    failed,        // 412
};

// RFC 9110 section 13.2.2. REQUIRES: without the conditions the answer would be a 2xx (13.2.1).
[[nodiscard]] outcome evaluate(method m, const preconditions& given, const validators& current) noexcept;

// Whether the Range field is to be heeded, once evaluate said `proceed`: there is one, the method is GET (RFC 9110
// section 14.2), and If-Range is absent or true (13.1.5).
[[nodiscard]] bool range_applies(method m, const preconditions& given, const validators& current) noexcept;

}  // namespace http
