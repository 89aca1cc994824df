// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

#include "io/error.hpp"

namespace io {

/// An address to listen at or of a peer: IPv4, IPv6 or a Unix path. Numeric only: names are never resolved.
class address {
  public:
    address() noexcept : any_{.sa_family = AF_UNSPEC, .sa_data = {}} {}

    /// "127.0.0.1:80", "[::1]:80", ":8080" (every IPv6 and IPv4 address), "unix:/path", "unix:@abstract".
    [[nodiscard]] static result<address> parse(std::string_view text);
    [[nodiscard]] static address loopback(std::uint16_t port);

    /// The text that parse() accepts.
    [[nodiscard]] std::string to_string() const;
    /// The host only, for logs and CGI: "127.0.0.1", "::1", "unix:".
    [[nodiscard]] std::string host() const;
    [[nodiscard]] std::uint16_t port() const;  // 0 for a unix path
    /// As an IPv6 address, to which IPv4 is mapped; all zero for a Unix path.
    [[nodiscard]] std::array<std::uint8_t, 16> ip() const;
    [[nodiscard]] int family() const { return any_.sa_family; }
    [[nodiscard]] bool is_loopback() const;

    // For the system calls.
    [[nodiscard]] const sockaddr* data() const { return &any_; }
    [[nodiscard]] sockaddr* data() { return &any_; }
    [[nodiscard]] socklen_t size() const { return size_; }
    void set_size(socklen_t size) { size_ = size; }
    [[nodiscard]] static constexpr socklen_t capacity() { return sizeof(sockaddr_un); }

    [[nodiscard]] bool operator==(const address& other) const { return to_string() == other.to_string(); }

  private:
    union {
        sockaddr any_;
        sockaddr_in v4_;
        sockaddr_in6 v6_;
        sockaddr_un unix_;
    };
    socklen_t size_ = 0;
};

}  // namespace io
