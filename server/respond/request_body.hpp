// SPDX-License-Identifier: MIT
//
// The body of a request as a stream, for any carrier. A farm that needs the body takes it out of the exchange, reads as
// much as it wants, and puts the rest back:
//
//   auto body = request_body::take(*x);
//   while (const auto got = co_await body->read(room)) { if (*got == 0) break; ... }
//   request_body::put_back(*x, std::move(*body));
//
// Nothing is read before read() is called, so a reader that stops stops the client: by the window of TCP, or by that of
// its stream.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "csp/alt.hpp"
#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "csp/timer.hpp"
#include "http/limits.hpp"
#include "io/socket.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/stop.hpp"

namespace server {

/// Why a body could not be read, with the status to answer.
enum class body_failure : std::uint8_t {
    too_slow,     // 408
    malformed,    // 400
    too_large,    // 413
    client_left,  // nobody to answer: the connection, or its sending half, was closed before the end of the body
    cancelled     // by the process that wanted it
};

/// Distinguishes slow from stalled clients while the server reads a body: the client must send something within every
/// `stall`, and must keep the minimum rate. Only the time that the reader waits for the client counts.
class upload_pace {
  public:
    explicit upload_pace(const patience& limits) : stall_(limits.stall), rate_(limits.least_rate) {}

    void add_received(std::uint64_t bytes) { received_ += bytes; }

    /// Waits until `arrivals` is ready. Nothing if it is; otherwise too_slow, or cancelled when `until` is closed.
    template <class Source>
    csp::step<std::optional<body_failure>> wait_for(Source& arrivals, csp::in<stop>& until)
    {
        const csp::time_point began = csp::core::here().now();
        const csp::timeout too_late = csp::at(began + left());
        const auto chosen = co_await csp::pri_alt(csp::when(static_cast<bool>(until), until), arrivals, too_late);
        waited_ += csp::core::here().now() - began;
        if (chosen == arrivals) co_return std::nullopt;
        co_return chosen == too_late ? body_failure::too_slow : body_failure::cancelled;
    }

    /// How long to wait for the client from now on. At no time does it have more than `stall`, so bytes sent fast do
    /// not allow a long pause later.
    [[nodiscard]] csp::duration left() const
    {
        const csp::duration earned = std::chrono::milliseconds(received_ * 1000 / rate_);
        return std::min<csp::duration>(stall_, stall_ + earned - waited_);
    }

  private:
    std::chrono::milliseconds stall_;
    std::uint64_t rate_;
    std::uint64_t received_ = 0;
    csp::duration waited_{};
};

/// Mobile: it may move to another process of its core, which reads while the exchange's owner writes the response. Drop
/// it, or put it back, before the exchange goes on: it keeps the connection open.
class request_body {
  public:
    using outcome = std::expected<std::size_t, body_failure>;

    /// Whether there is a body that was neither taken nor read to its end.
    [[nodiscard]] static bool is_in(const exchange_record& x);
    /// Its length, if the client has announced it.
    [[nodiscard]] static std::optional<std::uint64_t> length_of(const exchange_record& x);
    /// Takes it out. Does not tell the client. From now on the connection may persist after the response only if
    /// put_back() is called. REQUIRES: is_in(x). An error: no descriptor is left; the exchange is unchanged.
    [[nodiscard]] static std::expected<request_body, io::error> take(exchange_record& x);
    /// Gives the exchange what was not read: the connection skips it after the response. After a failure, and if the
    /// client still waits for "100 Continue", the connection closes instead, lingering.
    static void put_back(exchange_record& x, request_body&& b);

    [[nodiscard]] std::optional<std::uint64_t> length() const { return length_; }
    [[nodiscard]] bool is_over() const;

    /// Reads at least one byte; 0 at the end. Waits for the client as long as upload_pace allows. If the client waits
    /// for "100 Continue", and has not sent anything yet, sends that before it waits. Ends with `cancelled` when
    /// `until` is closed; the next call continues (but not for a stream, whose piece may be lost). Every other failure
    /// is final. REQUIRES: there is room.
    csp::step<outcome> read(std::span<char> into, csp::in<stop>& until);
    csp::step<outcome> read(std::span<char> into);
    /// Sends "100 Continue" now, if the client waits for it. Call this before the body moves to another process: a
    /// response that has begun must not be followed by "100 Continue".
    csp::step<std::expected<void, body_failure>> invite();

  private:
    /// Bytes of the body from its connection, as they are on the wire.
    class from_connection {
      public:
        from_connection(unread_body& of, const connection& c, const policy& by);

        /// Whether more must come from the socket than came with the head.
        [[nodiscard]] bool needs_socket() const;
        void set_socket(io::socket s) { socket_ = std::move(s); }
        void put_back(unread_body& into);

        [[nodiscard]] bool is_over() const { return is_over_; }
        [[nodiscard]] bool awaits_continue() const { return awaits_continue_; }
        csp::step<outcome> read(std::span<char> into, csp::in<stop>& until);
        csp::step<std::optional<body_failure>> invite();

      private:
        struct decoded {
            std::size_t content = 0;  // bytes, at the beginning of the memory
            std::size_t unused = 0;   // bytes at its end that follow the body
        };
        [[nodiscard]] std::expected<decoded, body_failure> decode(std::span<char> raw);
        [[nodiscard]] outcome read_what_is_here(std::span<char> into);
        csp::step<outcome> receive(std::span<char> into, csp::in<stop>& until);

        io::socket socket_;
        std::string here_;          // what has arrived of the body, and perhaps of what follows it
        std::size_t used_ = 0;      // bytes of `here_`
        bool is_here_input_;        // those bytes are also in the connection's input
        std::size_t consumed_ = 0;  // bytes of that input
        body_to_skip rest_;
        bool is_over_ = false;
        bool awaits_continue_;
        http::limits sizes_;
        upload_pace pace_;
    };

    /// Pieces of the body from the session.
    class from_session {
      public:
        from_session(csp::out<body_question> pieces, const policy& by)
            : pieces_(std::move(pieces)), most_bytes_(by.limits.body_bytes), pace_(by.patience)
        {
        }
        [[nodiscard]] bool is_over() const { return is_over_; }
        csp::step<outcome> read(std::span<char> into, csp::in<stop>& until);

      private:
        csp::out<body_question> pieces_;
        std::uint64_t most_bytes_;  // that may still come
        bool is_over_ = false;
        upload_pace pace_;
    };

    template <class Source>
    request_body(Source s, std::optional<std::uint64_t> length) : source_(std::move(s)), length_(length)
    {
    }

    std::variant<from_connection, from_session> source_;
    std::optional<std::uint64_t> length_;
    std::optional<body_failure> failure_;  // a final one
};
static_assert(csp::mobile<request_body>);

}  // namespace server
