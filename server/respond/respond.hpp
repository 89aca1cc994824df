// SPDX-License-Identifier: MIT
//
// Writing the response of an exchange, whatever its carrier.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "csp/process.hpp"
#include "http/status.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/exchange.hpp"

namespace server {

/// What a worker writes the heads of HTTP/1.1 with, and keeps for the next one: most of a head is that of the last.
class http1_pen {
  public:
    /// The head up to the fields that are the response's own: status line, Server, Date, Connection.
    [[nodiscard]] std::span<const char> fixed_part(http::status code, http1_carrier::fate then);
    /// Adds to the fixed part last written; yields all of it if there was room. A short response is one piece then.
    [[nodiscard]] std::optional<std::span<const char>> whole(std::string_view fields, std::string_view text);

  private:
    std::array<char, 1024> room_;
    std::size_t fixed_bytes_ = 0;
    http::status code_{};
    http1_carrier::fate then_{};
    std::chrono::sys_seconds second_;
};

/// Sends the response (for HEAD, its head) and writes the account. An error has the request's id in X-Request-Id, and
/// other answers if that is wanted. When the client leaves or does not make progress,
/// the account stays incomplete and the carrier is not used again.
csp::step<void> respond(exchange_record& x, response r, patience limits, http1_pen& pen);

/// Sends the end of the previous answer, if the kernel holds it back. To be called before anything that may wait.
void push_last_answer(exchange_record& x);

/// Sends what of a page that is ready the socket takes in one call. True: that was all of it, and the account is
/// written; else `ready_sent` tells how much. Only over HTTP/1.1.
[[nodiscard]] bool send_at_once(exchange_record& x, const page& ready);
/// Sends the rest of it.
csp::step<void> send_rest(exchange_record& x, const page& ready, patience limits);

}  // namespace server
