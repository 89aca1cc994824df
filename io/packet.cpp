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

/// Room for the control message that carries one descriptor.
struct alignas(cmsghdr) control_room {
    std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
};

msghdr header_of(iovec& content, control_room& control)
{
    msghdr all{};
    all.msg_iov = &content;
    all.msg_iovlen = 1;
    all.msg_control = control.bytes.data();
    all.msg_controllen = control.bytes.size();
    return all;
}

/// The only descriptor in the message. Of several, as only a peer that means harm sends them, none: all are closed.
descriptor descriptor_in(msghdr& received)
{
    descriptor only;
    std::size_t count = 0;
    for (cmsghdr* head = CMSG_FIRSTHDR(&received); head != nullptr; head = CMSG_NXTHDR(&received, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= head->cmsg_len; at += sizeof(int), ++count) {
            int number = -1;
            std::memcpy(&number, reinterpret_cast<const char*>(head) + at, sizeof number);
            only = descriptor(number);
        }
    }
    return count == 1 ? std::move(only) : descriptor();
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

result<void> send_packet(int socket, std::span<const std::byte> bytes, int passed) noexcept
{
    iovec content{const_cast<std::byte*>(bytes.data()), bytes.size()};
    control_room control;
    msghdr all = header_of(content, control);
    if (passed < 0) {
        all.msg_control = nullptr;
        all.msg_controllen = 0;
    } else {
        cmsghdr* const head = CMSG_FIRSTHDR(&all);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof passed);
        std::memcpy(CMSG_DATA(head), &passed, sizeof passed);
    }
    for (;;) {
        if (::sendmsg(socket, &all, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
        if (errno != EINTR) return std::unexpected(error::of_errno());
    }
}

void post_packet(int socket, std::span<const std::byte> bytes, int passed) noexcept
{
    const auto sent = send_packet(socket, bytes, passed);
    static_cast<void>(sent.has_value());
}

result<packet> receive_packet(int socket, std::span<std::byte> into) noexcept
{
    iovec content{into.data(), into.size()};
    control_room control;
    for (;;) {
        msghdr all = header_of(content, control);
        const ssize_t bytes = ::recvmsg(socket, &all, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        // ECONNRESET, once: the peer has closed its end without reading all. What it sent before can still be read.
        if (bytes < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
        if (bytes < 0) return std::unexpected(error::of_errno());
        packet got{static_cast<std::size_t>(bytes), descriptor_in(all)};
        if ((all.msg_flags & MSG_TRUNC) != 0) return std::unexpected(error::of(EMSGSIZE));
        return got;
    }
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
