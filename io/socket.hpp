// SPDX-License-Identifier: MIT
//
// Stream sockets and pipes. Each call first makes the system call, which does not block. Only if that cannot proceed
// does the process wait, with the help of the engine. Most sends and receives of a server succeed at once and need
// neither a suspension nor the ring.
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

/// A connection, or one end of a pipe. It stays on the core where it was made; to move it to another core, pass its
/// descriptor. A descriptor is never closed while the kernel still uses it: the engine keeps the endpoint until then.
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
    /// Releases the descriptor. REQUIRES: the socket is not in a select set, and no process waits on it.
    [[nodiscard]] descriptor release() &&;

    /// A second socket of the same connection, so that one process can read while another writes. The connection is
    /// closed with the last of them. Only one of them may be read from at a time. REQUIRES: as release().
    [[nodiscard]] result<socket> another() const;

    [[nodiscard]] detail::endpoint& at() const { return *endpoint_; }

  private:
    detail::endpoint* endpoint_ = nullptr;
};

/// A listening socket, from which an io::acceptor takes connections. It belongs to no core.
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

/// Binds a socket and listens. Accepted connections inherit its options: TCP_NODELAY, and the limit of unsent bytes in
/// the kernel.
[[nodiscard]] result<listener> listen(const address& where, int backlog = 4096,
                                      port_sharing sharing = port_sharing::exclusive);

/// Whether an exclusive listen() would succeed. The check itself never accepts connections.
[[nodiscard]] result<void> may_listen(const address& where);

[[nodiscard]] result<address> peer(const socket& s);
[[nodiscard]] result<address> local(const socket& s);
[[nodiscard]] result<address> local(const listener& l);

/// A connected pair of stream sockets.
[[nodiscard]] result<std::pair<socket, socket>> socket_pair();

/// A pipe to or from a child. The child's end is blocking, as programs expect.
struct pipe_with_child {
    socket ours;
    descriptor childs;
};
[[nodiscard]] result<pipe_with_child> pipe_to_child();
[[nodiscard]] result<pipe_with_child> pipe_from_child();

/// Converts `f` to a socket if it is a pipe, a socket or a terminal, where a write waits for a reader; `f` is then
/// empty. Nullopt if it is something else, or is blocking.
[[nodiscard]] std::optional<socket> stream_of(file& f);

namespace detail {

/// A call that is tried until it succeeds or the deadline passes: once at the beginning, and then each time the engine
/// reports that it may succeed. `Call` has attempt(), which returns whether it is done, and value(). Lives in the frame
/// of the process that awaits it.
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
    [[nodiscard]] waiter*& slot() { return endpoint_.waiter_on(side_); }

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

class splice_call : public socket_call<splice_call> {
  public:
    splice_call(socket& pipe, socket& to, std::size_t count, unsigned flags, deadline until, std::source_location where)
        : socket_call(to.at(), side::write, until, "a peer to take bytes of a pipe", where),
          count_(count),
          pipe_(pipe.number()),
          flags_(flags)
    {
    }
    [[nodiscard]] bool attempt();

  private:
    std::size_t count_;
    int pipe_;
    unsigned flags_;
};

/// Waits until a side may be ready; does not read or write.
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

/// Reads the available bytes, at most as many as `into` has room for. Returns their number, 0 at the end of the stream.
[[nodiscard]] inline detail::recv_call recv(socket& s, std::span<char> into, deadline until,
                                            std::source_location where = std::source_location::current())
{
    return {s, into, until, where};
}

enum class more_follows : bool { no, yes };  // yes: the kernel may hold the bytes back to fill a packet

/// Sends at least one byte and returns the number sent.
[[nodiscard]] detail::send_call send(socket& s, std::span<const char> bytes, deadline until,
                                     more_follows more = more_follows::no,
                                     std::source_location where = std::source_location::current());
/// The same for several pieces, at most four, in one system call.
[[nodiscard]] detail::send_call send(socket& s, std::span<const std::span<const char>> pieces, deadline until,
                                     more_follows more = more_follows::no,
                                     std::source_location where = std::source_location::current());
/// Sends as much of the pieces (at most four) as the socket accepts in one call, and never waits. Returns the number of
/// bytes. That is also 0 if the peer is gone; the next call that waits reports this error.
[[nodiscard]] std::size_t send_now(socket& s, std::span<const std::span<const char>> pieces,
                                   more_follows more = more_follows::no);
/// Makes the kernel send what it holds back after calls with more_follows::yes.
void push(socket& s);
/// Sends all pieces (at most four), if possible in one call, for example a head and its body. After an error it is
/// unknown how much was sent.
[[nodiscard]] detail::send_call send_all(socket& s, std::initializer_list<std::span<const char>> pieces, deadline until,
                                         more_follows more = more_follows::no,
                                         std::source_location where = std::source_location::current());
[[nodiscard]] detail::send_call send_all(socket& s, std::span<const char> bytes, deadline until,
                                         more_follows more = more_follows::no,
                                         std::source_location where = std::source_location::current());

/// Sends at least one byte of the file, at most `count`. Returns the number sent, 0 if the file ends at `offset`. Each
/// call returns after some progress, so that the caller can enforce a minimum rate. Pages that are not in memory are
/// read first, without blocking the core. For a file with a key, short parts that were in memory within the last second
/// are assumed to be there still.
[[nodiscard]] csp::step<result<std::size_t>> send_file(socket& s, const file& f, std::uint64_t offset,
                                                       std::size_t count, deadline until,
                                                       file_key key = file_key::none);

/// The number of bytes that can be read from a pipe or a stream socket at once; 0 if that is unknown.
[[nodiscard]] std::size_t ready_bytes(const socket& s);

/// Moves at least one byte from a pipe to the socket, at most `count`, without a copy through our memory (splice(2)).
/// Returns the number moved, 0 if the pipe has ended. EINVAL if the kernel cannot do that with these two. REQUIRES: the
/// pipe has so many bytes ready, or has ended.
[[nodiscard]] detail::splice_call splice(socket& pipe, socket& to, std::size_t count, deadline until,
                                         more_follows more = more_follows::no,
                                         std::source_location where = std::source_location::current());

/// Connects to a listening socket.
[[nodiscard]] csp::step<result<socket>> connect(address where, deadline until);

/// Connects to a Unix datagram socket. On the io::socket of this descriptor each call sends one datagram, and waits
/// while the reader's queue is full.
[[nodiscard]] result<descriptor> connect_for_datagrams(const address& where);

/// The number of bytes sent that the peer's system has not acknowledged; 0 if that is unknown.
[[nodiscard]] std::size_t unacknowledged(const socket& s);

/// Makes closing this socket reset the connection. Otherwise the kernel would keep bytes that the peer does not read
/// for minutes.
void drop_unsent(socket& s);

/// Half-closes the connection: the peer sees the end of the stream. The socket can still be read from.
result<void> shutdown_write(socket& s);

/// Closes a connection whose peer may still be sending, so that a reset does not destroy our last bytes: half-closes
/// it, and discards input until the peer's end, `until`, or `most_bytes` (RFC 9112, section 9.6).
[[nodiscard]] csp::step<void> close_lingering(socket s, deadline until, std::size_t most_bytes = 256 * 1024);

}  // namespace io
