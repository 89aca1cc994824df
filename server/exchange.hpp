// SPDX-License-Identifier: MIT
//
// An exchange: one request with the response being written. It is what travels past the front end. A farm sees the
// request and calls respond(); it never knows by which protocol version the request came. That is the carrier's
// business, which an exchange has inside: for HTTP/1.1 the connection itself, for a protocol that carries many
// exchanges at once the end of a channel to the process that keeps the connection.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "csp/channel.hpp"
#include "csp/frame_pool.hpp"
#include "csp/process.hpp"
#include "http/error.hpp"
#include "http/method.hpp"
#include "http/target.hpp"
#include "io/file.hpp"
#include "server/connection.hpp"
#include "server/page.hpp"
#include "server/settings.hpp"

namespace server {

/// The request, as far as somebody past the front end asks for it. The views point into the bytes of the head, which
/// the exchange keeps (with its connection, or in `own_head`).
struct request {
    http::method method = http::method::get;
    http::canonical_path path;
    std::string_view query;
    std::string_view line;  // for the log
    std::string_view authority;
    std::string_view referer;
    std::string_view user_agent;
    std::string own_head;  // of a carrier whose connection does not keep it
};

/// A part of a file, to be sent from there.
struct file_range {
    io::file from;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

/// What follows the head.
using content = std::variant<std::monostate, std::string, file_range>;

struct response {
    http::status code = http::status::ok;
    response_fields fields;
    content body;
};

/// HTTP/1.0 and 1.1: the exchange has the connection to itself.
struct http1_carrier {
    conn connection;
    bool persists = false;  // the client may send another request when this one is answered
};

/// A piece of a response on its way to the process that shares a connection among many exchanges.
struct stream_piece {
    std::uint32_t stream = 0;
    std::optional<http::status> code;  // of the first piece, with `fields`
    response_fields fields;
    std::string bytes;
    enum class what_follows : std::uint8_t {
        more,
        nothing,
        never
    } next = what_follows::more;  // never: it was cut short
};

/// Any protocol that carries several exchanges at once over one connection.
struct stream_carrier {
    csp::shared_out<stream_piece> to_session;
    std::uint32_t stream = 0;
};

/// What became of the response, for the log and the statistics.
struct account {
    http::status code = http::status::internal_server_error;
    std::uint64_t content_bytes = 0;
    bool complete = false;  // all of it went out
};

struct exchange_record : csp::pooled {
    explicit exchange_record(std::variant<http1_carrier, stream_carrier> by) : carrier(std::move(by)) {}

    request asked;
    std::optional<http::error> refused;  // to be answered with this error's page
    frozen_page kept;                    // the page that the cache has for this path
    bool kept_is_fresh = false;          // and it need not be compared with the file
    account sent;
    csp::time_point began;
    std::variant<http1_carrier, stream_carrier> carrier;
};

using exchange = std::unique_ptr<exchange_record>;
static_assert(csp::mobile<exchange>);
static_assert(csp::mobile<stream_piece>);

/// What a worker writes the heads of HTTP/1.1 with, and keeps for the next one: most of a head is that of the last.
class http1_pen {
  public:
    /// The head up to the fields that are the response's own: status line, Server, Date, Connection.
    [[nodiscard]] std::span<const char> fixed_part(http::status code, bool persists);
    /// Adds to the fixed part last written; yields all of it if there was room. A short response is one piece then.
    [[nodiscard]] std::optional<std::span<const char>> whole(std::string_view fields, std::string_view text);

  private:
    std::array<char, 1024> room_;
    std::size_t fixed_bytes_ = 0;
    http::status code_{};
    bool persists_ = false;
    std::chrono::sys_seconds second_;
};

/// Sends the response (for HEAD, its head) and writes the account. When the client leaves or does not make progress,
/// the account stays incomplete and the carrier is not used again.
csp::step<void> respond(exchange_record& x, response r, patience limits, http1_pen& pen);

/// The same for a page out of the cache, in one call where the socket takes it.
csp::step<void> respond(exchange_record& x, frozen_page p, patience limits, http1_pen& pen);

}  // namespace server
