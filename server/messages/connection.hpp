// SPDX-License-Identifier: MIT
//
// A connection of a client: the socket and its state. One process at a time holds and owns it; destroying it closes the
// socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "csp/frame_pool.hpp"
#include "csp/mobile.hpp"
#include "http/chunked.hpp"
#include "http/error.hpp"
#include "http/ip.hpp"
#include "http/request.hpp"
#include "io/buffer.hpp"
#include "io/socket.hpp"
#include "server/configuration/policy.hpp"
#include "server/messages/request_id.hpp"

namespace server {

/// The bytes that arrived and are not processed yet. While a request is processed they stay in the buffer that received
/// them. A connection that waits for more input keeps only these bytes, and returns the buffer to the pool.
class input_bytes {
  public:
    [[nodiscard]] std::string_view text() const { return kept_.empty() ? buffer_.text() : std::string_view(kept_); }
    [[nodiscard]] bool empty() const { return text().empty(); }

    void add(io::buffer&& arrived);
    /// Removes the first `bytes`.
    void consume(std::size_t bytes);
    /// Returns the buffer to the pool; the remaining bytes move to memory of just their size.
    void release_buffer();

  private:
    io::buffer buffer_;
    std::string kept_;  // if not empty, it contains all bytes
};

/// The rest of a request body that is discarded: a number of bytes, or chunks up to the last one.
using body_to_skip = std::variant<std::uint64_t, http::chunked_decoder>;

struct connection : csp::pooled {
    enum class phase : std::uint8_t {
        proxy_header,  // waits for the PROXY protocol header
        idle,          // waits for the first byte of a request
        head,          // has received a part of a head
        body,          // discards the body of a request that was answered
        lingering,     // sent its last response; input is discarded until the client has read it
        over           // to be closed by parking, which counts open connections
    };

    /// How this connection counts against the limit for its client address.
    enum class standing : std::uint8_t {
        counted,
        turned_away,  // beyond the limit: open until it was answered with an error
        not_counted   // of a proxy, or without an address
    };

    explicit connection(io::socket s, connection_id i = {}) : socket(std::move(s)), id(i) {}

    io::socket socket;
    connection_id id;
    input_bytes input;
    http::head_scan scan;
    phase now = phase::idle;
    body_to_skip skipping;
    csp::time_point since;               // start of this phase
    std::uint64_t progress = 0;          // bytes received in this phase
    std::size_t head_bytes = 0;          // length of the complete head at the beginning of `input`; 0 if none
    std::optional<http::error> refused;  // the error in the head, if it has one
    std::optional<std::chrono::seconds> retry_after;  // the next request exceeds the rate limit
    std::uint32_t exchanges = 0;                      // requests answered so far
    http::ip_address client;                          // client address,
    std::string peer;                                 // and its text for the log
    standing counts_as = standing::not_counted;
    std::optional<http::ip_address> proxy;  // a trusted proxy opened this connection for its clients
    bool is_probe = false;                  // opened by the server itself to test that it answers
    bool client_is_unknown = false;  // a proxy forwarded a request without naming its client; `client` is the proxy
    bool is_last = false;            // the server is draining: the next request will be the last
    bool next_is_here = false;       // a complete request has arrived after the present one
    bool is_corked = false;          // the kernel may hold back the end of the last response
    frozen_policy by;                // applies to the request in `input`

    /// The id of the request in progress, or otherwise of the next one.
    [[nodiscard]] request_id present_request() const { return {id, exchanges + std::uint64_t{1}}; }
};

/// The mobile record that travels round the network.
using conn = std::unique_ptr<connection>;

static_assert(csp::mobile<conn>);

}  // namespace server
