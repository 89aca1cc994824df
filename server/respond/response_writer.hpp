// SPDX-License-Identifier: MIT
//
// Sends a response whose content is made while it is sent, for any carrier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "csp/process.hpp"
#include "http/status.hpp"
#include "io/socket.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/exchange.hpp"
#include "server/respond/progress.hpp"
#include "server/respond/respond.hpp"

namespace server {

/// Whether a response with this status may have content (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
[[nodiscard]] bool may_have_content(http::status code);

/// Writes a response piece by piece, and sends each piece at once. If the length is not known, an HTTP/1.1 client gets
/// chunks, and an HTTP/1.0 client the end of the connection. For HEAD, and with a status that has no content, only the
/// head is sent, and the rest is discarded. Bytes beyond the announced length are discarded too.
///
/// Every call that sends returns whether to continue. If not, the client has left or makes no progress; the account
/// then stays incomplete, with the bytes that were sent, and the carrier is not used again. A response without end()
/// stays incomplete too, and its connection closes. The time between two calls does not count against the client.
///
/// Call push_last_answer() before you wait for the first byte to send.
class response_writer {
  public:
    /// REQUIRES: both outlive this object.
    response_writer(exchange_record& x, patience limits, head_cache& heads) : x_(x), going_(limits), heads_(heads) {}
    response_writer(const response_writer&) = delete;
    response_writer& operator=(const response_writer&) = delete;

    /// Sends the head, which has a code and fields, with the first piece. Adds X-Request-Id as respond() does, and the
    /// fields that tell the length.
    csp::step<bool> begin(response head, std::optional<std::uint64_t> length, std::string_view first = {});
    csp::step<bool> write(std::string_view piece);

    /// What a call has taken from a pipe.
    struct moved {
        std::size_t bytes = 0;  // 0: the pipe has none at present, or has ended
        bool is_at_end = false;
    };
    /// Sends up to `most` (at least 1) of the bytes that the pipe has ready; does not wait for them. Many bytes do not
    /// go through our memory, if the carrier allows that. Nullopt: stop.
    csp::step<std::optional<moved>> splice(io::socket& pipe, std::size_t most);

    /// Ends the response after a last piece. Also returns false if it is shorter than was announced.
    csp::step<bool> end(std::string_view last = {});

    /// Instead of begin(), and then of write(): sends bytes as they are. They begin with a head, whose status goes into
    /// the account; all of them count as content. The connection closes afterwards. Returns false for a carrier that
    /// takes no ready bytes (any_carrier::takes_ready_bytes()).
    csp::step<bool> raw(std::string_view bytes);

    /// Whether the client has left, or a call has returned false. Does not wait. A client that has half-closed its
    /// connection counts as gone (see io::has_left()).
    [[nodiscard]] bool client_has_left();

  private:
    [[nodiscard]] connection& client() { return *x_.carrier.http1()->connection; }
    [[nodiscard]] std::string_view take_due(std::string_view piece);
    void choose_framing(http1_carrier& carrier, response& head);
    csp::step<bool> begin_http1(http1_carrier& carrier, response head, std::string_view first);
    csp::step<bool> send(std::string_view before, std::string_view content, std::string_view after,
                         io::more_follows more = io::more_follows::no);
    csp::step<bool> send_to_session(stream_piece piece);
    csp::step<bool> send_spliced(io::socket& pipe, std::size_t bytes);
    csp::step<bool> splice_all(io::socket& pipe, std::size_t& left);
    csp::step<bool> copy_all(io::socket& pipe, std::size_t& left);
    csp::step<std::optional<moved>> copy(io::socket& pipe, std::size_t most);
    [[nodiscard]] std::span<char> room();

    exchange_record& x_;
    progress going_;
    head_cache& heads_;
    bool goes_on_ = true;
    bool sends_content_ = true;
    bool is_chunked_ = false;
    bool is_raw_ = false;
    bool is_flooding_ = false;           // the pipe had more than room() holds
    bool splices_ = true;                // the kernel has not refused it
    std::optional<std::uint64_t> left_;  // of the announced length
    std::unique_ptr<char[]> room_ = {};
};

}  // namespace server
