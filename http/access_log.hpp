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

// The time of a line, "06/Nov/1994:08:49:37 +0000". Keeps the text for the other lines of the same second.
class log_time {
  public:
    std::string_view text(std::chrono::sys_seconds time) noexcept;

  private:
    std::chrono::sys_seconds written_ = std::chrono::sys_seconds::min();
    std::array<char, 26> text_{};
};

// What one line of the log tells. An empty text is written as a dash.
struct access_entry {
    std::string_view client;        // address in its text form
    std::string_view time;          // as log_time writes it
    std::string_view request_line;  // as sent, without CRLF
    status code = status::ok;
    std::uint64_t body_bytes = 0;  // content sent
    std::string_view referer;
    std::string_view user_agent;
};

// Room for any line whose texts are of usual length.
inline constexpr std::size_t access_line_bytes = 4096;

// Writes the entry as a line of the combined log format, its LF included, and yields its length in bytes. Quotes,
// backslashes and all but printable ASCII come out as \xHH, so no client can forge a line. Texts that do not fit are
// cut, between characters, and end in "..."; the line itself is always whole. REQUIRES: at least 256 bytes.
std::size_t format_access(const access_entry& entry, std::span<char> into) noexcept;

}  // namespace http
