// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "http/method.hpp"

namespace http {

// The conditional fields of a request, each as one value; empty if absent.
struct preconditions {
    std::string_view if_match{};
    std::string_view if_none_match{};
    std::string_view if_modified_since{};
    std::string_view if_unmodified_since{};
    std::string_view if_range{};
    std::string_view range{};
};

// What is known of the representation that would be sent: of this very coding, since each has its own tag (RFC 9110
// section 8.8.3.3).
struct validators {
    std::string_view etag{};                             // as sent in ETag, quoted; empty if it has none
    std::optional<std::chrono::sys_seconds> modified{};  // as sent in Last-Modified, if it is
    std::chrono::sys_seconds now{};                      // as sent in Date
};

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
