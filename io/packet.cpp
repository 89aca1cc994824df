// SPDX-License-Identifier: MIT
#include "io/packet.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <source_location>
#include <sys/socket.h>
#include <utility>

namespace io {
namespace {

/// Room for the control message that carries the descriptors.
template <std::size_t Most>
struct alignas(cmsghdr) control_room {
    std::array<char, CMSG_SPACE(Most * sizeof(int))> bytes{};
};

template <std::size_t Most>
msghdr header_of(iovec& content, control_room<Most>& control)
{
    msghdr all{};
    all.msg_iov = &content;
    all.msg_iovlen = 1;
    all.msg_control = control.bytes.data();
    all.msg_controllen = control.bytes.size();
    return all;
}

/// Takes the descriptors of the message. Returns their number, 0 if there are more than `into` has room for: only a
/// peer that means harm sends so many, and all are closed.
std::size_t take_descriptors(msghdr& received, std::span<descriptor> into)
{
    std::size_t count = 0;
    for (cmsghdr* head = CMSG_FIRSTHDR(&received); head != nullptr; head = CMSG_NXTHDR(&received, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= head->cmsg_len; at += sizeof(int), ++count) {
            int number = -1;
            std::memcpy(&number, reinterpret_cast<const char*>(head) + at, sizeof number);
            descriptor one(number);
            if (count < into.size()) into[count] = std::move(one);
        }
    }
    if (count <= into.size() && (received.msg_flags & MSG_CTRUNC) == 0) return count;
    for (descriptor& d : into) d = {};
    return 0;
}

result<std::size_t> receive_with(int socket, iovec content, std::span<descriptor> passed, std::size_t& count) noexcept
{
    control_room<rich_packet::most_passed> control;
    for (;;) {
        msghdr all = header_of(content, control);
        const ssize_t bytes = ::recvmsg(socket, &all, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        // ECONNRESET, once: the peer has closed its end without reading all. What it sent before can still be read.
        if (bytes < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
        if (bytes < 0) return std::unexpected(error::of_errno());
        count = take_descriptors(all, passed);
        if ((all.msg_flags & MSG_TRUNC) != 0) return std::unexpected(error::of(EMSGSIZE));
        return static_cast<std::size_t>(bytes);
    }
}

}  // namespace

result<std::pair<descriptor, descriptor>> packet_pair()
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return std::unexpected(error::of_errno());
    }
    return std::pair(descriptor(ends[0]), descriptor(ends[1]));
}

bool is_packet_socket(const descriptor& d) noexcept
{
    const auto is = [&](int option, int wanted) {
        int value = 0;
        socklen_t size = sizeof value;
        return ::getsockopt(d.number(), SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
    };
    return is(SO_DOMAIN, AF_UNIX) && is(SO_TYPE, SOCK_SEQPACKET);
}

result<void> send_packet(int socket, std::span<const std::byte> bytes, std::span<const int> passed) noexcept
{
    iovec content{const_cast<std::byte*>(bytes.data()), bytes.size()};
    control_room<rich_packet::most_passed> control;
    msghdr all = header_of(content, control);
    if (passed.empty()) {
        all.msg_control = nullptr;
        all.msg_controllen = 0;
    } else {
        all.msg_controllen = CMSG_SPACE(passed.size_bytes());
        cmsghdr* const head = CMSG_FIRSTHDR(&all);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(passed.size_bytes());
        std::memcpy(CMSG_DATA(head), passed.data(), passed.size_bytes());
    }
    for (;;) {
        if (::sendmsg(socket, &all, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
        if (errno != EINTR) return std::unexpected(error::of_errno());
    }
}

result<void> send_packet(int socket, std::span<const std::byte> bytes, int passed) noexcept
{
    return send_packet(socket, bytes, passed < 0 ? std::span<const int>() : std::span<const int>(&passed, 1));
}

void post_packet(int socket, std::span<const std::byte> bytes, int passed) noexcept
{
    const auto sent = send_packet(socket, bytes, passed);
    static_cast<void>(sent.has_value());
}

result<packet> receive_packet(int socket, std::span<std::byte> into) noexcept
{
    packet got;
    std::size_t count = 0;
    const auto bytes = receive_with(socket, {into.data(), into.size()}, std::span(&got.passed, 1), count);
    if (!bytes) return std::unexpected(bytes.error());
    got.bytes = *bytes;
    return got;
}

result<rich_packet> receive_rich_packet(int socket, std::span<std::byte> into) noexcept
{
    rich_packet got;
    const auto bytes = receive_with(socket, {into.data(), into.size()}, got.passed, got.count);
    if (!bytes) return std::unexpected(bytes.error());
    got.bytes = *bytes;
    return got;
}

csp::step<result<packet>> receive_packet(socket& s, std::span<std::byte> into, deadline until)
{
    for (;;) {
        auto got = receive_packet(s.number(), into);
        if (got || got.error().number != EAGAIN) co_return got;
        s.at().maybe_readable = false;
        detail::readiness_call more(s, detail::side::read, until, std::source_location::current());
        if (const auto waited = co_await more; !waited) co_return std::unexpected(waited.error());
    }
}

}  // namespace io
