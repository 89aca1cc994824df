// SPDX-License-Identifier: MIT
//
// A connection of a client: the socket and its state. One process at a time holds and owns it; destroying it closes the
// socket.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "csp/core.hpp"
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
    /// REQUIRES: it is empty. Does not allocate.
    void put(std::string&& bytes) noexcept { kept_ = std::move(bytes); }
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

/// The client of a connection. If a proxy opened the connection, it is the client that the proxy names.
struct client_identity {
    /// How the connection counts against the limit for one address.
    enum class standing : std::uint8_t {
        counted,
        turned_away,  // beyond the limit: stays open until it has been answered with an error
        not_counted   // of a proxy, or without an address
    };

    http::ip_address address;
    std::string text;  // the address for the log
    standing counts_as = standing::not_counted;
    std::optional<http::ip_address> proxy;  // the trusted proxy that opened the connection for its clients
    bool is_unknown = false;  // a proxy forwarded a request without naming its client; `address` is the proxy's
    bool is_probe = false;    // the server itself tests that it answers
};

struct connection : csp::pooled {
    // The phases. Parking owns the connection in all but `has_request`, in which it goes round the network.

    /// Waits for the first byte of a request.
    struct idle {};
    /// Waits for the PROXY protocol header.
    struct reading_proxy_header {};
    /// Has received a part of a head.
    struct reading_head {
        http::head_scan scan = {};
    };
    /// Discards the body of a request that was answered.
    struct skipping_body {
        body_to_skip rest = {};
    };
    /// Has a request, or an error to answer, until the response has been sent.
    struct has_request {
        std::expected<std::size_t, http::error> head;  // its length at the beginning of `input`, or what is wrong
        std::optional<std::chrono::seconds> retry_after = {};  // if it exceeds a limit for one client
        bool is_last = false;  // the server drains: only requests that have arrived follow
    };
    /// Sent its last response; input is discarded until the client has read it.
    struct lingering {};
    /// To be closed by parking, which counts open connections.
    struct over {};

    using phase = std::variant<idle, reading_proxy_header, reading_head, skipping_body, has_request, lingering, over>;
    static_assert(std::is_trivially_destructible_v<phase>);  // it changes several times a request

    explicit connection(io::socket s, connection_id i = {}) : socket(std::move(s)), id(i) {}

    io::socket socket;
    connection_id id;
    input_bytes input;
    phase now;
    csp::time_point since;       // start of this phase
    std::uint64_t received = 0;  // bytes in this phase
    frozen_policy by;            // applies to the request, if it has one; moves to the exchange
    client_identity client;
    std::uint32_t requests = 0;  // answered so far
    bool is_corked = false;      // the kernel may hold back the end of the last response

    template <class Phase>
    [[nodiscard]] bool is() const
    {
        return std::holds_alternative<Phase>(now);
    }
    /// The complete head at the beginning of the input; empty if there is none.
    [[nodiscard]] std::string_view head() const { return input.text().substr(0, head_bytes()); }
    [[nodiscard]] std::size_t head_bytes() const
    {
        const auto* const request = std::get_if<has_request>(&now);
        return request ? request->head.value_or(0) : 0;
    }
    /// The id of the request in progress, or otherwise of the next one.
    [[nodiscard]] request_id present_request() const { return {id, requests + std::uint64_t{1}}; }
    /// Removes the head of the request that was answered. REQUIRES: the phase is has_request.
    void end_request()
    {
        input.consume(head_bytes());
        ++requests;
    }
};

/// The mobile record that travels round the network.
using conn = std::unique_ptr<connection>;

static_assert(csp::mobile<conn>);

}  // namespace server
