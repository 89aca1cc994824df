// SPDX-License-Identifier: MIT
#include "io/socket.hpp"

#include <algorithm>
#include <fcntl.h>
#include <linux/sockios.h>
#include <memory>
#include <netinet/tcp.h>
#include <ranges>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csp/timer.hpp"
#include "io/file.hpp"

namespace io {
namespace {

/// Bytes for one sendfile(2). One call for 1 MiB costs a tenth less than four smaller ones, and blocks the core for
/// about 150 us at most.
constexpr std::size_t file_chunk = 1024 * 1024;
/// Bytes to read from a disk at once.
constexpr std::size_t fetched_chunk = 256 * 1024;

template <class T>
result<T> failed()
{
    return std::unexpected(error::of_errno());
}

using name_call = int(int, sockaddr*, socklen_t*) noexcept;

result<address> name_of(int fd, name_call* ask)
{
    address a;
    socklen_t size = address::capacity();
    if (ask(fd, a.data(), &size) != 0) return failed<address>();
    a.set_size(size);
    return a;
}

}  // namespace

socket::socket(descriptor d) : endpoint_(&engine::here().owned().new_endpoint(d.number()))
{
    (void)std::move(d).release();  // from now on the endpoint owns it
}

namespace {

bool has_bytes_on_their_way(const detail::endpoint& e)
{
    return e.member != detail::membership::none || e.fetch_in_flight || e.early;
}

}  // namespace

result<socket> socket::another() const
{
    CSP_CHECK(!has_bytes_on_their_way(*endpoint_), "a socket is duplicated only when no bytes are on their way to it");
    descriptor duplicate(fcntl(number(), F_DUPFD_CLOEXEC, 0));
    if (!duplicate) return failed<socket>();
    socket made(std::move(duplicate));
    made.at().is_pipe = endpoint_->is_pipe;
    // The engine must not expect that closing either descriptor closes the open file.
    made.at().released = endpoint_->released = true;
    return made;
}

descriptor socket::release() &&
{
    detail::endpoint& e = *std::exchange(endpoint_, nullptr);
    CSP_CHECK(!has_bytes_on_their_way(e), "a socket is given up only when no bytes are on their way to it here");
    // Duplicates the descriptor, so that the engine can release the first one later.
    descriptor kept(fcntl(e.fd, F_DUPFD_CLOEXEC, 0));
    e.released = true;
    e.home.drop(e);
    return kept;
}

// The limit of unsent bytes that the kernel accepts for a peer. Without it the kernel accepts megabytes for a client
// that reads nothing; a few thousand such clients exhaust the memory for all sockets of the machine, and then all
// sockets wait. For a client that reads as fast as we send, the limit would double the processor time, so it is lifted
// for peers that have proven fast.
constexpr int most_unsent = 128 * 1024;
constexpr int as_the_kernel_likes = 0;
constexpr std::chrono::milliseconds quick{200};  // a fast peer makes room in a full socket within this time
constexpr std::chrono::seconds slow{2};

namespace {

result<descriptor> bound_to(const address& where, port_sharing sharing)
{
    descriptor d(::socket(where.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!d) return failed<descriptor>();
    const int on = 1;
    const int off = 0;
    if (where.family() != AF_UNIX) {
        setsockopt(d.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(d.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(d.number(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most_unsent, sizeof most_unsent);
    }
    if (where.family() == AF_INET6) setsockopt(d.number(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (sharing == port_sharing::among_cores && setsockopt(d.number(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
        return failed<descriptor>();
    }
    if (bind(d.number(), where.data(), where.size()) != 0) return failed<descriptor>();
    return d;
}

}  // namespace

result<listener> listen(const address& where, int backlog, port_sharing sharing)
{
    auto d = bound_to(where, sharing);
    if (!d) return std::unexpected(d.error());
    if (::listen(d->number(), backlog) != 0) return failed<listener>();
    return listener(std::move(*d));
}

result<void> may_listen(const address& where)
{
    const auto d = bound_to(where, port_sharing::exclusive);
    if (!d) return std::unexpected(d.error());
    return {};
}

result<address> peer(const socket& s) { return name_of(s.number(), getpeername); }
result<address> local(const socket& s) { return name_of(s.number(), getsockname); }
result<address> local(const listener& l) { return name_of(l.number(), getsockname); }

std::size_t unacknowledged(const socket& s)
{
    int bytes = 0;
    return ioctl(s.number(), SIOCOUTQ, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

void drop_unsent(socket& s)
{
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(s.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

result<std::pair<socket, socket>> socket_pair()
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        return failed<std::pair<socket, socket>>();
    }
    return std::pair(socket(descriptor(ends[0])), socket(descriptor(ends[1])));
}

namespace {

enum class our_end : std::uint8_t { reading, writing };

result<pipe_with_child> make_pipe(our_end which)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return failed<pipe_with_child>();
    descriptor ours(ends[which == our_end::reading ? 0 : 1]);
    descriptor childs(ends[which == our_end::reading ? 1 : 0]);
    fcntl(ours.number(), F_SETFL, O_NONBLOCK);
    pipe_with_child made{socket(std::move(ours)), std::move(childs)};
    made.ours.at().is_pipe = true;
    return made;
}

}  // namespace

std::optional<socket> stream_of(file& f)
{
    struct stat s{};
    if (fstat(f.number(), &s) != 0) return std::nullopt;
    const bool is_socket = S_ISSOCK(s.st_mode);
    const bool is_other = S_ISFIFO(s.st_mode) || (S_ISCHR(s.st_mode) && isatty(f.number()) != 0);
    if (!is_socket && (!is_other || (fcntl(f.number(), F_GETFL) & O_NONBLOCK) == 0)) return std::nullopt;
    socket made(std::move(f).release());
    made.at().is_pipe = is_other;
    return made;
}

result<pipe_with_child> pipe_to_child() { return make_pipe(our_end::writing); }
result<pipe_with_child> pipe_from_child() { return make_pipe(our_end::reading); }

namespace detail {

bool recv_call::attempt()
{
    endpoint& e = endpoint_;
    if (e.early) [[unlikely]] {
        done_ = std::min(into_.size(), e.early.size());
        std::ranges::copy(e.early.text().substr(0, done_), into_.begin());
        e.early.consume(done_);
        if (e.early.empty()) e.early = buffer();
        return true;
    }
    if (e.early_end) [[unlikely]]
        return e.early_error != 0 ? fail(std::exchange(e.early_error, 0)) : true;
    if (e.fetch_in_flight || !e.maybe_readable) return false;
    ssize_t got = 0;
    do {
        got = e.is_pipe ? ::read(e.fd, into_.data(), into_.size())
                        : ::recv(e.fd, into_.data(), into_.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno != EAGAIN) return fail(errno);
        e.maybe_readable = false;
        return false;
    }
    done_ = static_cast<std::size_t>(got);
    // The socket is drained: the next bytes cause a new event. (Out-of-band data also shortens a read; the rest then
    // waits for the next event, which delays only clients that send such data.)
    if (done_ < into_.size() && !e.peer_is_done) e.maybe_readable = false;
    return true;
}

send_call::send_call(socket& s, std::span<const std::span<const char>> pieces, amount how_much, int flags,
                     deadline until, std::source_location where)
    : socket_call(s.at(), side::write, until, "a peer to take bytes", where),
      how_much_(how_much),
      flags_(MSG_NOSIGNAL | MSG_DONTWAIT | flags)
{
    CSP_CHECK(pieces.size() <= most_pieces, "at most four pieces are sent at once");
    for (const std::span<const char>& p : std::views::reverse(pieces)) {
        if (!p.empty()) pieces_[--first_] = {const_cast<char*>(p.data()), p.size()};
    }
}

void send_call::skip(std::size_t sent)
{
    done_ += sent;
    while (first_ < most_pieces && sent >= pieces_[first_].iov_len) sent -= pieces_[first_++].iov_len;
    if (sent == 0) return;
    iovec& rest = pieces_[first_];
    rest = {static_cast<char*>(rest.iov_base) + sent, rest.iov_len - sent};
}

namespace {

void is_full(endpoint& e)
{
    e.maybe_writable = false;
    e.full_since = csp::core::here().now();
}

/// Decides whether the peer is fast. REQUIRES: the socket was full and has room again.
void judge_peer(endpoint& e)
{
    const auto took = csp::core::here().now() - std::exchange(e.full_since, csp::time_point());
    if (e.is_quick ? took < slow : took > quick) return;
    e.is_quick = !e.is_quick;
    const int most = e.is_quick ? as_the_kernel_likes : most_unsent;
    setsockopt(e.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
}

bool was_full(const endpoint& e) { return e.full_since != csp::time_point(); }

}  // namespace

bool send_call::attempt()
{
    endpoint& e = endpoint_;
    while (pieces() > 0) {
        if (!e.maybe_writable) return false;
        if (was_full(e)) judge_peer(e);
        const iovec& first = pieces_[first_];
        ssize_t sent = 0;
        if (e.is_pipe) {
            sent = writev(e.fd, &first, static_cast<int>(pieces()));
        } else if (pieces() == 1) {
            sent = ::send(e.fd, first.iov_base, first.iov_len, flags_);
        } else {
            msghdr m{};
            m.msg_iov = &pieces_[first_];
            m.msg_iovlen = pieces();
            sent = sendmsg(e.fd, &m, flags_);
        }
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return fail(errno);
            is_full(e);
            return false;
        }
        skip(static_cast<std::size_t>(sent));
        if (how_much_ == amount::some) break;
    }
    return true;
}

bool splice_call::attempt()
{
    endpoint& e = endpoint_;
    if (!e.maybe_writable) return false;
    if (was_full(e)) judge_peer(e);
    ssize_t moved = 0;
    do {
        moved = ::splice(pipe_, nullptr, e.fd, nullptr, count_, flags_);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0) {
        if (errno != EAGAIN) return fail(errno);
        is_full(e);
        return false;
    }
    done_ = static_cast<std::size_t>(moved);
    return true;
}

bool readiness_call::attempt()
{
    endpoint& e = endpoint_;
    if (which_ == side::read && (e.early || e.early_end)) return true;
    if (which_ == side::read && e.fetch_in_flight) return false;
    return e.maybe_ready(which_);
}

}  // namespace detail

namespace {

int flags_for(more_follows more) { return more == more_follows::yes ? MSG_MORE : 0; }

}  // namespace

detail::send_call send(socket& s, std::span<const char> bytes, deadline until, more_follows more,
                       std::source_location where)
{
    return {s, std::span(&bytes, 1), detail::amount::some, flags_for(more), until, where};
}

detail::send_call send(socket& s, std::span<const std::span<const char>> pieces, deadline until, more_follows more,
                       std::source_location where)
{
    return {s, pieces, detail::amount::some, flags_for(more), until, where};
}

std::size_t send_now(socket& s, std::span<const std::span<const char>> pieces, more_follows more)
{
    auto call = send(s, pieces, no_deadline, more);
    return call.attempt() ? call.await_resume().value_or(0) : 0;
}

void push(socket& s)
{
    const int on = 1;
    setsockopt(s.number(), IPPROTO_TCP, TCP_NODELAY, &on,
               sizeof on);  // already on; setting it again sends pending bytes, see tcp(7)
}

detail::send_call send_all(socket& s, std::initializer_list<std::span<const char>> pieces, deadline until,
                           more_follows more, std::source_location where)
{
    return {s, std::span(pieces.begin(), pieces.size()), detail::amount::all, flags_for(more), until, where};
}

detail::send_call send_all(socket& s, std::span<const char> bytes, deadline until, more_follows more,
                           std::source_location where)
{
    return {s, std::span(&bytes, 1), detail::amount::all, flags_for(more), until, where};
}

namespace {

detail::readiness_call writable(socket& s, deadline until, std::source_location where = std::source_location::current())
{
    return {s, detail::side::write, until, where};
}

/// Reads a byte if that needs no disk access. Returns 1; 0 at the end of the file; or -1, with errno.
ssize_t probe_at(const file& f, std::uint64_t offset)
{
    char byte = 0;
    const iovec one{&byte, 1};
    return preadv2(f.number(), &one, 1, static_cast<off_t>(offset), RWF_NOWAIT);
}

/// Whether the byte at `offset` can be read without disk access. Also true if that is unknown: file systems without
/// RWF_NOWAIT mostly have no disk.
bool is_in_memory(const file& f, std::uint64_t offset) { return probe_at(f, offset) >= 0 || errno != EAGAIN; }

/// How many bytes from `offset` on are in memory. Checking the ends of pieces is enough, because read-ahead and
/// eviction proceed in order.
std::size_t bytes_in_memory(const file& f, std::uint64_t offset, std::size_t count)
{
    if (!is_in_memory(f, offset)) return 0;
    std::size_t known = 0;
    while (known < count) {
        const std::size_t next = std::min(count, known + fetched_chunk);
        if (!is_in_memory(f, offset + next - 1)) break;
        known = next;
    }
    return known;
}

/// Whether all blocks of a part are known to be in memory. Incomplete blocks at the end of the file are not remembered.
bool is_in_seen_blocks(detail::resident_blocks& seen, const file& f, file_key key, std::uint64_t offset,
                       std::size_t count)
{
    using detail::resident_blocks;
    const csp::time_point now = csp::core::here().now();
    const std::uint64_t last = (offset + count - 1) / resident_blocks::block_bytes;
    for (std::uint64_t block = offset / resident_blocks::block_bytes; block <= last; ++block) {
        if (seen.has(key, block, now)) continue;
        const std::uint64_t begin = block * resident_blocks::block_bytes;
        if (probe_at(f, begin) != 1 || probe_at(f, begin + resident_blocks::block_bytes - 1) != 1) return false;
        seen.add(key, block, now);
    }
    return true;
}

}  // namespace

csp::step<result<std::size_t>> send_file(socket& s, const file& f, std::uint64_t offset, std::size_t count,
                                         deadline until, file_key key)
{
    count = std::min(count, file_chunk);
    if (count == 0) co_return 0;
    // sendfile(2) always waits for the disk, whatever the flags. So missing pages are first brought into memory by a
    // read whose result is discarded.
    const bool is_short = count <= detail::resident_blocks::block_bytes;
    if (key != file_key::none && is_short && is_in_seen_blocks(s.at().home.seen_in_memory(), f, key, offset, count)) {
        // All of it is in memory.
    } else if (const std::size_t known = bytes_in_memory(f, offset, count); known > 0) {
        count = known;
    } else {
        count = std::min(count, fetched_chunk);
        const auto discarded = std::make_unique_for_overwrite<char[]>(count);
        const auto fetched = co_await read(f, {discarded.get(), count}, offset, until);
        if (!fetched || *fetched == 0) co_return fetched;
        count = *fetched;
    }
    detail::endpoint& e = s.at();
    for (;;) {
        if (e.maybe_writable && detail::was_full(e)) detail::judge_peer(e);
        auto at = static_cast<off_t>(offset);
        const ssize_t sent = e.maybe_writable ? sendfile(e.fd, f.number(), &at, count) : -1;
        if (sent >= 0) co_return static_cast<std::size_t>(sent);
        if (e.maybe_writable) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) co_return failed<std::size_t>();
            detail::is_full(e);
        }
        if (const auto waited = co_await writable(s, until); !waited) co_return waited;
    }
}

std::size_t ready_bytes(const socket& s)
{
    int bytes = 0;
    return ioctl(s.number(), FIONREAD, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

detail::splice_call splice(socket& pipe, socket& to, std::size_t count, deadline until, more_follows more,
                           std::source_location where)
{
    constexpr unsigned flags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;
    return {pipe, to, count, more == more_follows::yes ? flags | SPLICE_F_MORE : flags, until, where};
}

csp::step<result<socket>> connect(address where, deadline until)
{
    descriptor d(::socket(where.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!d) co_return failed<socket>();
    const int on = 1;
    if (where.family() != AF_UNIX) setsockopt(d.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    socket s(std::move(d));
    for (;;) {
        if (::connect(s.number(), where.data(), where.size()) == 0) co_return s;
        if (errno == EINPROGRESS || errno == EINTR) break;
        // The accept queue of a Unix listener is full, and the kernel reports no event when it has room again.
        if (errno != EAGAIN) co_return failed<socket>();
        if (csp::core::here().now() >= until) co_return std::unexpected(error::of(error::past_deadline));
        co_await csp::sleep(std::chrono::milliseconds(5));
    }
    s.at().maybe_writable = false;
    if (const auto connected = co_await writable(s, until); !connected) co_return std::unexpected(connected.error());
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(s.number(), SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) co_return std::unexpected(error::of(problem));
    co_return s;
}

result<descriptor> connect_for_datagrams(const address& where)
{
    descriptor d(::socket(where.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!d || ::connect(d.number(), where.data(), where.size()) != 0) return failed<descriptor>();
    return d;
}

result<void> shutdown_write(socket& s)
{
    if (shutdown(s.number(), SHUT_WR) != 0) return failed<void>();
    return {};
}

csp::step<void> close_lingering(socket s, deadline until, std::size_t most_bytes)
{
    if (!shutdown_write(s)) co_return;
    buffer discarded = buffer::make();
    while (most_bytes > 0) {
        const auto got = co_await recv(s, discarded.space(), until);
        if (!got || *got == 0) co_return;
        most_bytes -= std::min(most_bytes, *got);
    }
}

}  // namespace io
