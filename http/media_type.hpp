// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include "http/content_coding.hpp"

namespace http {

/// The effect of a content coding on files of a type.
enum class compression : std::uint8_t {
    helps,     // text and the like
    may_help,  // depends on the file
    useless,   // already compressed, or random data
};

struct media_type {
    std::string_view text;  // a whole Content-Type value, with its charset where one applies
    compression by_coding;
    coding stored = coding::identity;  // the coding that files of this type have already, as .svgz has gzip

    [[nodiscard]] constexpr bool compressible() const { return by_coding == compression::helps; }
};

/// The media type for a file name or path, by its extension, ignoring case. application/octet-stream if the extension
/// is unknown.
[[nodiscard]] media_type media_type_of(std::string_view file_name) noexcept;

}  // namespace http
