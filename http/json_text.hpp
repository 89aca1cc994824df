// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace http {

/// Appends the text to `to` as a JSON string, with its quotes (RFC 8259 section 7). The text may contain any bytes:
/// those that are not UTF-8 become U+FFFD, because JSON text must be UTF-8. Control characters become \uHHHH, including
/// those of C1, which a terminal would interpret. A text that needs more than `most` bytes is truncated between
/// characters and ends in "...". REQUIRES: most >= 16.
void append_json_text(std::string& to, std::string_view text, std::size_t most = std::string_view::npos);

}  // namespace http
