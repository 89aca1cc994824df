// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include "http/content_coding.hpp"

namespace http {

// What a content coding does to files of a type.
enum class compression : std::uint8_t {
    helps,     // text and the like
    may_help,  // only the author of the file knows
    in_vain,   // compressed already, or noise
};

struct media_type {
    std::string_view text;  // a whole Content-Type value, with its charset where one applies
    compression by_coding;
    coding stored = coding::identity;  // in which files of this type are

    [[nodiscard]] constexpr bool compressible() const { return by_coding == compression::helps; }
};

// The media type for a file name or path, by its extension in either case. application/octet-stream if there is none
// in the table.
[[nodiscard]] media_type media_type_of(std::string_view file_name) noexcept;

}  // namespace http
