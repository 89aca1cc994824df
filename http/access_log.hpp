// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/status.hpp"

namespace http {

/// Formats the time of a log line, "06/Nov/1994:08:49:37 +0000", and caches the text: most lines have the same second
/// as the line before.
class log_time {
  public:
    std::string_view text(std::chrono::sys_seconds time) noexcept;

  private:
    std::chrono::sys_seconds written_ = std::chrono::sys_seconds::min();
    std::array<char, 26> text_{};
};

/// The data of one line of the access log. An empty text is written as a dash.
struct access_entry {
    std::string_view client;        // address in its text form
    std::string_view time;          // as log_time::text() returns it
    std::string_view request_line;  // as sent, without CRLF
    status code = status::ok;
    std::uint64_t body_bytes = 0;  // of content sent
    std::string_view referer;
    std::string_view user_agent;
};

/// A buffer of this size holds any line whose texts have a usual length.
inline constexpr std::size_t access_line_bytes = 4096;

/// Writes the entry as one line of the combined log format, with its LF, and returns its length in bytes. Quotes,
/// backslashes and everything that is not printable ASCII are written as \xHH, so that a client cannot forge a line.
/// Texts that do not fit are truncated between characters and end in "..."; the line itself is always complete.
/// REQUIRES: `into` has at least 256 bytes.
std::size_t format_access(const access_entry& entry, std::span<char> into) noexcept;

}  // namespace http
