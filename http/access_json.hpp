// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/status.hpp"

namespace http {

/// A time in the format of RFC 3339, in UTC with milliseconds: "2026-11-24T09:00:00.123Z".
[[nodiscard]] std::string rfc3339(std::chrono::sys_time<std::chrono::milliseconds> when);

/// The data of one access log line in JSON. A text that does not apply is empty.
struct access_record {
    std::chrono::sys_time<std::chrono::milliseconds> when;
    std::string_view request_id;
    std::string_view client;        // address in its text form
    std::string_view host;          // requested by the client
    std::string_view site;          // key of the site that answered
    std::string_view request_line;  // as sent, without CRLF
    status code = status::ok;
    std::uint64_t body_bytes = 0;  // of content sent
    bool complete = true;          // all content was sent
    std::chrono::microseconds duration{};
    std::string_view referer;
    std::string_view user_agent;
};

/// Appends the record as one line with its LF: an object that always has the same members in the same order: time,
/// request_id, remote_addr, host, site, method, target, protocol, status, bytes, complete, duration (in seconds),
/// referer, user_agent. If the request line does not have three parts, `target` holds all of it. Long texts are
/// truncated, which keeps a line below 16 KiB.
void append_access_json(std::string& to, const access_record& record);

}  // namespace http
