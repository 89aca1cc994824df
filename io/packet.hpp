// SPDX-License-Identifier: MIT
//
// Packets between processes of one machine: messages that keep their boundaries and can carry file descriptors
// (unix(7): SOCK_SEQPACKET, SCM_RIGHTS).
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "csp/process.hpp"
#include "io/descriptor.hpp"
#include "io/error.hpp"
#include "io/socket.hpp"

namespace io {

struct packet {
    std::size_t bytes = 0;  // 0: the peer has closed its end
    descriptor passed;      // if the packet carries exactly one; closed on exec
};

/// A packet with several descriptors.
struct rich_packet {
    static constexpr std::size_t most_passed = 4;

    std::size_t bytes = 0;                         // 0: the peer has closed its end
    std::array<descriptor, most_passed> passed{};  // in the order sent; closed on exec
    std::size_t count = 0;                         // of the descriptors; 0 if there were more than most_passed
};

/// A pair of connected sockets for packets: non-blocking, and closed on exec.
[[nodiscard]] result<std::pair<descriptor, descriptor>> packet_pair();

/// Whether the descriptor is a packet socket. What another process passes can be anything.
[[nodiscard]] bool is_packet_socket(const descriptor& d) noexcept;

/// Sends one packet, with a duplicate of the descriptor `passed` unless that is -1. Does not wait: EAGAIN if the peer's
/// queue is full, EPIPE if the peer has closed its end.
result<void> send_packet(int socket, std::span<const std::byte> bytes, int passed = -1) noexcept;

/// The same, with duplicates of all these descriptors. REQUIRES: at most rich_packet::most_passed.
result<void> send_packet(int socket, std::span<const std::byte> bytes, std::span<const int> passed) noexcept;

/// The same, when it does not matter whether the peer is still there.
void post_packet(int socket, std::span<const std::byte> bytes, int passed = -1) noexcept;

/// Receives one packet. Does not wait: EAGAIN if there is none. EMSGSIZE if it is larger than `into`.
[[nodiscard]] result<packet> receive_packet(int socket, std::span<std::byte> into) noexcept;

/// The same, for a packet that may carry several descriptors.
[[nodiscard]] result<rich_packet> receive_rich_packet(int socket, std::span<std::byte> into) noexcept;

/// The same as receive_packet(), waiting for a packet.
[[nodiscard]] csp::step<result<packet>> receive_packet(socket& s, std::span<std::byte> into, deadline until);

/// The bytes of a message of one size.
template <class T>
[[nodiscard]] std::span<const std::byte> bytes_of(const T& message)
{
    static_assert(std::is_trivially_copyable_v<T>);
    return std::as_bytes(std::span(&message, 1));
}
template <class T>
[[nodiscard]] std::span<std::byte> room_of(T& message)
{
    static_assert(std::is_trivially_copyable_v<T>);
    return std::as_writable_bytes(std::span(&message, 1));
}

}  // namespace io
