// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/status.hpp"

namespace http {

// A moment as RFC 3339 writes it, to the millisecond: "2026-11-24T09:00:00.123Z".
[[nodiscard]] std::string rfc3339(std::chrono::sys_time<std::chrono::milliseconds> when);

// What one line of the log tells in JSON. A text that there is none of is empty.
struct access_record {
    std::chrono::sys_time<std::chrono::milliseconds> when;
    std::string_view request_id;
    std::string_view client;        // address in its text form
    std::string_view host;          // that the client asked for
    std::string_view site;          // that answered
    std::string_view request_line;  // as sent, without CRLF
    status code = status::ok;
    std::uint64_t body_bytes = 0;  // content sent
    bool complete = true;          // all of it
    std::chrono::microseconds duration{};
    std::string_view referer;
    std::string_view user_agent;
};

// Adds the record as one line with its LF, an object whose members are always the same and in the same order: time,
// request_id, remote_addr, host, site, method, target, protocol, status, bytes, complete, duration (in seconds),
// referer, user_agent. Of a request line that is not in three parts, all is `target`. Long texts are cut, so a line has
// less than 16 KiB.
void append_access_json(std::string& to, const access_record& record);

}  // namespace http
