// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace http {

struct media_type {
    std::string_view text;  // a whole Content-Type value, with its charset where one applies
    bool compressible;      // worth a content coding: text and the like, not what is compressed already
};

// The media type for a file name or path, by its extension in either case. application/octet-stream if there is none
// in the table.
[[nodiscard]] media_type media_type_of(std::string_view file_name) noexcept;

}  // namespace http
