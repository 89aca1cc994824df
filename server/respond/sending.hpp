// SPDX-License-Identifier: MIT
//
// How bytes of a response are sent over HTTP/1.1, whether it is sent whole (respond.hpp) or piece by piece
// (response_writer.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "csp/process.hpp"
#include "http/status.hpp"
#include "io/socket.hpp"
#include "server/messages/connection.hpp"
#include "server/messages/exchange.hpp"
#include "server/respond/progress.hpp"

namespace server {

inline constexpr std::string_view end_of_head = "\r\n";
inline constexpr std::string_view id_field_name = "X-Request-Id";

/// What one system call sends.
using pieces = std::array<std::span<const char>, 4>;

[[nodiscard]] inline std::size_t bytes_of(const pieces& all)
{
    std::size_t bytes = 0;
    for (const auto& p : all) bytes += p.size();
    return bytes;
}
/// Removes the first `bytes`.
void skip(pieces& all, std::size_t bytes);

/// Whether to continue after a call: it sent something, or it timed out but the client still makes progress. If not,
/// the unsent data in the kernel is discarded when the connection closes.
[[nodiscard]] bool still_goes(const io::result<std::size_t>& sent, connection& c, progress& going);

/// Sends all pieces, unless the client stops making progress. `left` is what has not been sent.
[[nodiscard]] csp::step<bool> send_pieces(connection& c, pieces& left, io::more_follows more, progress& going);

/// Sends a piece over a session, and waits until that has taken it. Counts its bytes, and returns whether to continue.
[[nodiscard]] csp::step<bool> send_piece(stream_carrier& carrier, stream_piece piece, account& account);

/// Whether a response with this status has the request's id.
[[nodiscard]] bool is_told_its_id(const exchange_record& x, http::status code);
/// Adds the request's id to the response if it is to have it.
void add_id(const exchange_record& x, response& r);

}  // namespace server
