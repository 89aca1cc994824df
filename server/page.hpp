// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "csp/frozen.hpp"
#include "csp/mobile.hpp"
#include "http/status.hpp"

namespace server {

/// Fields of a response head, each a line "Name: value" with its CRLF, in the order added. What a protocol version
/// adds by itself (Date, Connection) is not among them.
class response_fields {
  public:
    /// REQUIRES: `name` a token; neither has a CR, an LF or a NUL.
    response_fields& add(std::string_view name, std::string_view value);
    response_fields& add(std::string_view name, std::uint64_t value);
    [[nodiscard]] std::string_view lines() const { return lines_; }

  private:
    std::string lines_;
};

/// By what a file's content is told from that of another version of it, or of another file.
struct file_identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::chrono::nanoseconds modified{};
    std::chrono::nanoseconds changed{};
    friend bool operator==(const file_identity&, const file_identity&) = default;
};

/// A response made ready: all of it but what depends on the moment and the connection.
struct page {
    http::status code = http::status::ok;
    response_fields fields;
    std::string content;
    file_identity made_from;
};

using frozen_page = csp::frozen<page>;
static_assert(csp::mobile<frozen_page>);

}  // namespace server
