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

/// Writes a response head into a buffer of the caller. A field that could split the response (its name is not a token,
/// or its value has a control character) is not written; finish() then returns an error, and so it does if the buffer
/// is too small. You need not check anything between.
///
///     head_writer head(buffer);
///     head.status_line(status::ok).field("Content-Length", size).date(now);
///     auto bytes = head.finish();
class head_writer {
  public:
    explicit head_writer(std::span<char> into) noexcept : into_(into) {}

    /// Always writes HTTP/1.1, whatever the version of the request was (RFC 9112 section 2.3). Call it first, and once.
    head_writer& status_line(status code) noexcept;

    head_writer& field(std::string_view name, std::string_view value) noexcept;
    head_writer& field(std::string_view name, std::uint64_t value) noexcept;

    /// The Date field (RFC 9110 section 6.6.1).
    head_writer& date(std::chrono::sys_seconds now) noexcept;

    /// Writes the empty line and returns the length of the whole head in bytes. Errors, all 500: the buffer is too
    /// small, a field was refused.
    std::expected<std::size_t, error> finish() noexcept;

  private:
    void put(std::string_view text) noexcept;

    std::span<char> into_;
    std::size_t used_ = 0;
    bool overflow_ = false;
    bool refused_ = false;
};

}  // namespace http
