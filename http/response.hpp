// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "http/error.hpp"
#include "http/status.hpp"

namespace http {

// Writes a response head into memory of the caller's. A field that could split the response (a name that is no
// token, a control byte in the value) is never written, and makes finish() say so; so does too little room. Nothing
// else need be checked between.
//
//     head_writer head(buffer);
//     head.status_line(status::ok).field("Content-Length", size).date(now);
//     auto bytes = head.finish();
class head_writer {
  public:
    explicit head_writer(std::span<char> into) noexcept : into_(into) {}

    // HTTP/1.1, whatever the request's version was (RFC 9112 section 2.3). First call, once.
    head_writer& status_line(status code) noexcept;

    head_writer& field(std::string_view name, std::string_view value) noexcept;
    head_writer& field(std::string_view name, std::uint64_t value) noexcept;

    // The Date field (RFC 9110 section 6.6.1).
    head_writer& date(std::chrono::sys_seconds now) noexcept;

    // Writes the empty line and yields the bytes of the whole head. Errors, both 500: no room, a field refused.
    std::expected<std::size_t, error> finish() noexcept;

  private:
    void put(std::string_view text) noexcept;

    std::span<char> into_;
    std::size_t used_ = 0;
    bool overflow_ = false;
    bool refused_ = false;
};

}  // namespace http
