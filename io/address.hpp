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

/// Where a socket listens or its peer lives: IPv4, IPv6 or a unix path. Numeric only: names are never looked up.
class address {
  public:
    address() noexcept : any_{.sa_family = AF_UNSPEC, .sa_data = {}} {}

    /// "127.0.0.1:80", "[::1]:80", ":8080" (every IPv6 and IPv4 address), "unix:/path", "unix:@abstract".
    [[nodiscard]] static result<address> parse(std::string_view text);
    [[nodiscard]] static address loopback(std::uint16_t port);

    /// As parse() reads it.
    [[nodiscard]] std::string to_string() const;
    /// The host part alone, as logs and CGI want it: "127.0.0.1", "::1", "unix:".
    [[nodiscard]] std::string host() const;
    [[nodiscard]] std::uint16_t port() const;  // 0 for a unix path
    /// As IPv6, and IPv4 mapped to it; all zero for a unix path.
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
