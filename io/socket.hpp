// SPDX-License-Identifier: MIT
//
// Stream sockets, and the ends of pipes. Every call first tries the system call, which does not block; only when that
// finds nothing to do is the engine asked and the process waits. Most sends and reads of a server succeed at once, and
// then cost neither a suspension nor a round through the ring.
#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <source_location>
#include <span>
#include <sys/uio.h>
#include <utility>

#include "csp/process.hpp"
#include "io/address.hpp"
#include "io/descriptor.hpp"
#include "io/endpoint.hpp"
#include "io/error.hpp"

namespace io {

class file;

/// A connection, or one end of a pipe. Stays on the core where it was made; to another core travels its descriptor.
/// A descriptor is never closed while the kernel still works on it: the engine keeps the endpoint until then.
class socket {
  public:
    socket() = default;
    /// Takes over a descriptor. REQUIRES: it is non-blocking.
    explicit socket(descriptor d);
    socket(socket&& other) noexcept : endpoint_(std::exchange(other.endpoint_, nullptr)) {}
    socket& operator=(socket&& other) noexcept
    {
        std::swap(endpoint_, other.endpoint_);
        return *this;
    }
    ~socket()
    {
        if (endpoint_ != nullptr) endpoint_->home.drop(*endpoint_);
    }

    [[nodiscard]] explicit operator bool() const { return endpoint_ != nullptr; }
    [[nodiscard]] int number() const { return endpoint_->fd; }
    /// Gives the descriptor up. REQUIRES: not in a select set, and nobody waits on it.
    [[nodiscard]] descriptor release() &&;

    [[nodiscard]] detail::endpoint& at() const { return *endpoint_; }

  private:
    detail::endpoint* endpoint_ = nullptr;
};

/// What a listening socket is: a descriptor that an io::acceptor takes connections from. Belongs to no core.
class listener {
  public:
    listener() = default;
    explicit listener(descriptor d) : descriptor_(std::move(d)) {}
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(descriptor_); }
    [[nodiscard]] int number() const { return descriptor_.number(); }
    [[nodiscard]] descriptor release() && { return std::move(descriptor_); }

  private:
    descriptor descriptor_;
};

enum class port_sharing : std::uint8_t { exclusive, among_cores };  // SO_REUSEPORT

/// Binds and listens. Connections inherit their options from it: TCP_NODELAY, and how much the kernel takes from us for
/// a peer that does not take it.
[[nodiscard]] result<listener> listen(const address& where, int backlog = 4096,
                                      port_sharing sharing = port_sharing::exclusive);

/// Whether an exclusive listen() would succeed. Nobody can connect meanwhile, only to be turned away.
[[nodiscard]] result<void> may_listen(const address& where);

[[nodiscard]] result<address> peer(const socket& s);
[[nodiscard]] result<address> local(const socket& s);
[[nodiscard]] result<address> local(const listener& l);

/// Both ends of a stream between two processes of ours.
[[nodiscard]] result<std::pair<socket, socket>> socket_pair();

/// A pipe one of whose ends is for a child; that end blocks, as programs expect.
struct pipe_with_child {
    socket ours;
    descriptor childs;
};
[[nodiscard]] result<pipe_with_child> pipe_to_child();
[[nodiscard]] result<pipe_with_child> pipe_from_child();

/// The pipe, socket or terminal that `f` is, where writing waits for somebody who reads; `f` is none any more. Nothing
/// if it is another thing, or would block.
[[nodiscard]] std::optional<socket> stream_of(file& f);

namespace detail {

/// An attempt at a socket, repeated each time the engine says that it may succeed, until the deadline. `Call` has
/// attempt(), which yields whether it is done, and value(). Lives in the awaiting frame.
template <class Call>
class [[nodiscard("await it")]] socket_call : waiter, csp::timer {
  public:
    socket_call(endpoint& e, side s, deadline until, const char* waits_for, std::source_location where)
        : waiter(ready), timer(expired), endpoint_(e), until_(until), waits_for_(waits_for), where_(where), side_(s)
    {
    }
    socket_call(const socket_call&) = delete;
    socket_call& operator=(const socket_call&) = delete;
    ~socket_call()
    {
        if (who_ != nullptr) [[unlikely]]
            stop_waiting();
    }

    [[nodiscard]] bool await_ready()
    {
        if (call().attempt()) return true;
        if (until_ > csp::core::here().now()) return false;
        failure_ = error::past_deadline;
        return true;
    }
    void await_suspend(std::coroutine_handle<> self)
    {
        who_ = &csp::park(self, csp::wait::kernel, waits_for_, where_);
        CSP_CHECK(slot() == nullptr, "one process at a time waits on a side of a socket");
        engine& outside = *endpoint_.home.owner();
        outside.expect();
        slot() = this;
        if (until_ != no_deadline) csp::core::here().timers().set(*this, until_);
        outside.want(endpoint_, side_);
    }
    [[nodiscard]] result<std::size_t> await_resume() const
    {
        if (failure_ != 0) [[unlikely]]
            return std::unexpected(error::of(failure_));
        return call().done_;
    }

  protected:
    [[nodiscard]] bool fail(int number)
    {
        failure_ = number;
        return true;
    }

    endpoint& endpoint_;
    std::size_t done_ = 0;

  private:
    friend Call;

    [[nodiscard]] Call& call() { return static_cast<Call&>(*this); }
    [[nodiscard]] const Call& call() const { return static_cast<const Call&>(*this); }
    [[nodiscard]] waiter*& slot() { return endpoint_.waiters[static_cast<std::size_t>(side_)]; }

    static void ready(waiter& w) noexcept
    {
        auto& self = static_cast<socket_call&>(w);
        const int refused = std::exchange(self.endpoint_.refused, 0);
        if (self.call().attempt()) {
            self.finish();
        } else if (refused != 0) [[unlikely]] {
            self.failure_ = refused;
            self.finish();
        } else {
            self.slot() = &self;
            self.endpoint_.home.owner()->want(self.endpoint_, self.side_);
        }
    }
    static void expired(csp::timer& t) noexcept
    {
        auto& self = static_cast<socket_call&>(t);
        self.failure_ = error::past_deadline;
        self.finish();
    }
    void finish()
    {
        csp::record& who = *who_;
        stop_waiting();
        csp::make_ready(who);
    }
    void stop_waiting() noexcept
    {
        who_ = nullptr;
        if (slot() == this) slot() = nullptr;
        if (pending()) csp::core::here().timers().cancel(*this);
        if (engine* outside = endpoint_.home.owner(); outside != nullptr) outside->expect_no_more();
    }

    deadline until_;
    const char* waits_for_;
    csp::record* who_ = nullptr;  // while it waits
    std::source_location where_;
    int failure_ = 0;
    side side_;
};

class recv_call : public socket_call<recv_call> {
  public:
    recv_call(socket& s, std::span<char> into, deadline until, std::source_location where)
        : socket_call(s.at(), side::read, until, "bytes from a socket", where), into_(into)
    {
    }
    [[nodiscard]] bool attempt();

  private:
    std::span<char> into_;
};

enum class amount : std::uint8_t { some, all };

class send_call : public socket_call<send_call> {
  public:
    static constexpr std::size_t most_pieces = 4;

    send_call(socket& s, std::span<const std::span<const char>> pieces, amount how_much, int flags, deadline until,
              std::source_location where);
    [[nodiscard]] bool attempt();

  private:
    [[nodiscard]] std::size_t pieces() const { return most_pieces - first_; }
    void skip(std::size_t sent);

    std::array<iovec, most_pieces> pieces_;  // the last ones are in use
    std::uint8_t first_ = most_pieces;
    amount how_much_;
    int flags_;
};

/// Waits until a side may be ready, without reading or writing.
class readiness_call : public socket_call<readiness_call> {
  public:
    readiness_call(socket& s, side which, deadline until, std::source_location where)
        : socket_call(s.at(), which, until, which == side::read ? "a socket to read from" : "a socket to write to",
                      where),
          which_(which)
    {
    }
    [[nodiscard]] bool attempt();

  private:
    side which_;
};

}  // namespace detail

/// Reads what is there, at most `into`; yields how much, 0 at the end of the stream.
[[nodiscard]] inline detail::recv_call recv(socket& s, std::span<char> into, deadline until,
                                            std::source_location where = std::source_location::current())
{
    return {s, into, until, where};
}

enum class more_follows : bool { no, yes };  // yes: the kernel may hold the bytes back to fill a packet

/// Sends at least one byte of the pieces, yields how many.
[[nodiscard]] detail::send_call send(socket& s, std::span<const char> bytes, deadline until,
                                     more_follows more = more_follows::no,
                                     std::source_location where = std::source_location::current());
/// The same of several pieces (at most four), gathered.
[[nodiscard]] detail::send_call send(socket& s, std::span<const std::span<const char>> pieces, deadline until,
                                     more_follows more = more_follows::no,
                                     std::source_location where = std::source_location::current());
/// Sends of the pieces (at most four) what the socket takes in one call, without waiting; yields how much: nothing also
/// when the peer is gone, which the next call that waits will tell.
[[nodiscard]] std::size_t send_now(socket& s, std::span<const std::span<const char>> pieces,
                                   more_follows more = more_follows::no);
/// Has the kernel send what it holds back after calls with more_follows::yes.
void push(socket& s);
/// Sends all pieces (at most four), in one call where they fit: a head and its body. After an error it is unknown how
/// much was sent.
[[nodiscard]] detail::send_call send_all(socket& s, std::initializer_list<std::span<const char>> pieces, deadline until,
                                         more_follows more = more_follows::no,
                                         std::source_location where = std::source_location::current());
[[nodiscard]] detail::send_call send_all(socket& s, std::span<const char> bytes, deadline until,
                                         more_follows more = more_follows::no,
                                         std::source_location where = std::source_location::current());

/// Sends at least one byte of the file, at most `count`; yields how many, 0 when the file ends at `offset`. Each
/// call returns after some progress, so that its caller can insist on a rate. Pages that are not in memory are
/// fetched first, without holding up the core; but of a file with a key, short parts that were in memory within the
/// last second are taken to be there still.
[[nodiscard]] csp::step<result<std::size_t>> send_file(socket& s, const file& f, std::uint64_t offset,
                                                       std::size_t count, deadline until,
                                                       file_key key = file_key::none);

/// A connection to where somebody listens.
[[nodiscard]] csp::step<result<socket>> connect(address where, deadline until);

/// For datagrams to a unix path where somebody reads them. What is sent after that in one call is one datagram, and
/// waits while the reader has no room.
[[nodiscard]] result<socket> connect_for_datagrams(const address& where);

/// How many of the bytes sent the peer's system has not acknowledged yet; 0 if that cannot be told.
[[nodiscard]] std::size_t unacknowledged(const socket& s);

/// Has the end of this socket reset the connection. Else the kernel would keep for minutes what the peer does not take.
void drop_unsent(socket& s);

/// Tells the peer that nothing more will be sent; it may still be read from.
result<void> shutdown_write(socket& s);

/// Ends a connection whose peer may still be sending, so that our last bytes are not lost to a reset: half-closes,
/// and discards what comes until the peer's end, `until`, or `most_bytes`. (RFC 9112, 9.6)
[[nodiscard]] csp::step<void> close_lingering(socket s, deadline until, std::size_t most_bytes = 256 * 1024);

}  // namespace io
