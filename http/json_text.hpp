// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace http {

// Adds the text to `to` as a JSON string, with its quotes (RFC 8259, section 7). Any bytes will do: what is not UTF-8
// comes out as U+FFFD, since JSON has no other bytes, and control characters as \uHHHH, those of C1 too, which a
// terminal would obey. A text that takes more than `most` bytes is cut between characters and ends in "...".
// REQUIRES: most >= 16.
void append_json_text(std::string& to, std::string_view text, std::size_t most = std::string_view::npos);

}  // namespace http
