// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/method.hpp"

namespace http {

/// The conditional fields of a request, each as one value with its lines joined (RFC 9110 section 5.3). Several lines
/// of a field that is not a list make an invalid value. For the optional members an empty value differs from an absent
/// field; the others are ignored if empty.
struct preconditions {
    std::optional<std::string_view> if_match{};
    std::optional<std::string_view> if_none_match{};
    std::string_view if_modified_since{};
    std::string_view if_unmodified_since{};
    std::optional<std::string_view> if_range{};
    std::string_view range{};
};

/// The validators of the representation that would be sent. They belong to one content coding, because each has its own
/// tag (RFC 9110 section 8.8.3.3).
struct validators {
    std::string_view etag{};                             // as sent in ETag, quoted; empty if it has none
    std::optional<std::chrono::sys_seconds> modified{};  // as sent in Last-Modified, if it is sent: see last_modified()
    std::chrono::sys_seconds now{};                      // as sent in Date
};

/// The date to send in Last-Modified for a file whose modification time was `file_time` at the time `looked_at`;
/// nullopt where a date would be useless or misleading. So every date sent is a strong validator (RFC 9110 section
/// 8.8.2.2):
///
/// - During the second of the change, and up to 20 ms longer, the file may change again and keep its date. A client
///   with the date of the first version would then take the second version for the first: in If-Modified-Since, and
///   worse, in If-Range (section 13.1.5). A later request cannot detect this, so no date is sent until then.
/// - A time in the future would have to be replaced (section 8.8.2.1) by one that changes with each check.
/// - A time on the first day of 1970 does not say when the file changed: package managers and image builders set it.
[[nodiscard]] std::optional<std::chrono::sys_seconds> last_modified(
    std::chrono::nanoseconds file_time, std::chrono::system_clock::time_point looked_at) noexcept;

enum class outcome : std::uint8_t {
    proceed,       // answer as if there were no condition, except for the range: see range_applies
    not_modified,  // 304
    failed,        // 412
};

/// Evaluates the conditions in the order of RFC 9110 section 13.2.2. REQUIRES: without the conditions the response
/// would be a 2xx (13.2.1).
[[nodiscard]] outcome evaluate(method m, const preconditions& given, const validators& current) noexcept;

/// Whether to apply the Range field: there is one, the method is GET (RFC 9110 section 14.2), and If-Range is absent or
/// true (13.1.5). REQUIRES: evaluate() returned `proceed`.
[[nodiscard]] bool range_applies(method m, const preconditions& given, const validators& current) noexcept;

}  // namespace http
