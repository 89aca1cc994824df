// SPDX-License-Identifier: MIT
//
// Sends the response of an exchange, for any carrier.
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

/// Formats the heads of HTTP/1.1 responses. Each worker keeps one, since consecutive heads differ little: the fixed
/// part is formatted again only when the status, the second or the Connection field changes.
class head_cache {
  public:
    /// The beginning of the head, up to the fields of this response: status line, Server, Date, Connection.
    [[nodiscard]] std::span<const char> fixed_part(http::status code, http1_carrier::connection_option option);
    /// Appends the fields and the text to the fixed part, so that a short response is one piece. Nullopt if there is no
    /// room for them.
    [[nodiscard]] std::optional<std::span<const char>> whole(std::string_view fields, std::string_view text);

  private:
    std::array<char, 1024> room_;
    std::size_t fixed_bytes_ = 0;
    http::status code_{};
    http1_carrier::connection_option option_{};
    std::chrono::sys_seconds second_;
};

/// Sends the response (for HEAD, only its head) and records the result in `x.sent`. Adds X-Request-Id to errors, and to
/// other responses if the policy says so. If the client disconnects or makes no progress, the account stays incomplete
/// and the carrier is not used again.
csp::step<void> respond(exchange_record& x, response r, patience limits, head_cache& heads);

/// Sends the end of the previous response, if the kernel still holds it back. Call this before anything that may wait.
void push_last_answer(exchange_record& x);

/// Whether the client will not read the response: it has closed or reset its connection, or half-closed it, which TCP
/// does not tell apart. Does not wait.
[[nodiscard]] bool client_has_left(const exchange_record& x);

/// How much of a ready page was sent.
struct at_once {
    std::size_t bytes = 0;
    bool is_all = false;
};
/// Sends a ready page as far as the socket takes it in one call. If that was all, the account is complete. HTTP/1.1
/// only: sends nothing for other carriers.
[[nodiscard]] at_once send_at_once(exchange_record& x, const page& ready);
/// Sends the rest of a page of which send_at_once() has sent that many bytes.
csp::step<void> send_rest(exchange_record& x, const page& ready, std::size_t sent_bytes, patience limits);

}  // namespace server
