// SPDX-License-Identifier: MIT
//
// A client's connection: the socket and what belongs to it. One process holds it at a time, and whoever holds it owns
// it; dropping it closes the socket.
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
#include "http/network.hpp"
#include "http/request.hpp"
#include "io/buffer.hpp"
#include "io/socket.hpp"
#include "server/policy.hpp"
#include "server/request_id.hpp"

namespace server {

/// What has arrived and is not dealt with yet. While a request is worked on it lies in the buffer in which it came;
/// a connection that waits for the rest of something keeps just those bytes, and no buffer.
class input_bytes {
  public:
    [[nodiscard]] std::string_view text() const { return kept_.empty() ? buffer_.text() : std::string_view(kept_); }
    [[nodiscard]] bool empty() const { return text().empty(); }

    void add(io::buffer&& arrived);
    /// Forgets the first `bytes`.
    void consume(std::size_t bytes);
    /// Gives the buffer back; what is left moves to memory of its own size.
    void shed_buffer();

  private:
    io::buffer buffer_;
    std::string kept_;  // when not empty, all of it is here
};

/// A request's body that nobody wants, as far as it has not come yet: so many bytes, or chunks until the last.
using body_to_skip = std::variant<std::uint64_t, http::chunked_decoder>;

struct connection : csp::pooled {
    enum class phase : std::uint8_t {
        introduction,  // of a proxy that must name its client first
        idle,          // waits for the first byte of a request
        head,          // has a part of a head
        body,          // skips the body of a request that was answered
        lingering,  // answered for the last time; what still comes is thrown away, until the client has read the answer
        over        // to be closed, by parking, which counts those that are open
    };

    /// What it counts as among the connections of its address.
    enum class standing : std::uint8_t { counted, turned_away, proxys };

    explicit connection(io::socket s, connection_id i = {}) : socket(std::move(s)), id(i) {}

    io::socket socket;
    connection_id id;
    input_bytes input;
    http::head_scan scan;
    phase now = phase::idle;
    body_to_skip skipping;
    csp::time_point since;                            // when this phase began
    std::uint64_t progress = 0;                       // bytes that came in it
    std::size_t head_bytes = 0;                       // a complete head stands at the beginning of `input`
    std::optional<http::error> refused;               // why there will be no complete head
    std::optional<std::chrono::seconds> retry_after;  // the next request is one too many
    std::uint32_t exchanges = 0;                      // answered so far
    http::ip_address client;                          // the address of whoever asks,
    std::string peer;                                 // and as the log has it
    standing counts_as = standing::proxys;
    std::optional<http::ip_address> proxy;  // the connection is a proxy's, whose requests may be others'
    bool is_probe = false;                  // of the server's own, to see whether requests are answered
    bool is_unnamed = false;    // a proxy passes on a request without naming its client; `client` is the proxy
    bool is_last = false;       // the server ends: the request that comes now is to be the last
    bool next_is_here = false;  // all of another request has come behind the one that is answered
    bool is_corked = false;     // the kernel may hold back the end of the last answer
    frozen_policy by;           // what the request in `input` is treated by

    /// Of the request that is under way, or else of the next one.
    [[nodiscard]] request_id present_request() const { return {id, exchanges + std::uint64_t{1}}; }
};

/// The mobile record that goes round the network.
using conn = std::unique_ptr<connection>;

static_assert(csp::mobile<conn>);

}  // namespace server
