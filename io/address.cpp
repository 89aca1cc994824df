// SPDX-License-Identifier: MIT
#include "io/address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>

#include <fmt/format.h>

namespace io {
namespace {

result<std::uint16_t> parse_port(std::string_view digits)
{
    std::uint16_t port = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (problem != std::errc() || end != digits.data() + digits.size()) return std::unexpected(error::of(EINVAL));
    return port;
}

}  // namespace

result<address> address::parse(std::string_view text)
{
    constexpr std::string_view unix_prefix = "unix:";
    address parsed;
    if (text.starts_with(unix_prefix)) {
        const std::string_view path = text.substr(unix_prefix.size());
        sockaddr_un& to = parsed.unix_;
        to = {};
        to.sun_family = AF_UNIX;
        if (path.empty() || path.size() >= sizeof to.sun_path) return std::unexpected(error::of(ENAMETOOLONG));
        std::ranges::copy(path, to.sun_path);
        const bool is_abstract = path.front() == '@';
        if (is_abstract) to.sun_path[0] = '\0';
        // All bytes given are the name of an abstract address; a path ends with a NUL.
        parsed.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
        return parsed;
    }

    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::unexpected(error::of(EINVAL));
    const auto port = parse_port(text.substr(colon + 1));
    if (!port) return std::unexpected(port.error());
    std::string host(text.substr(0, colon));

    if (host.empty() || host.front() == '[') {
        if (!host.empty()) {
            if (host.back() != ']') return std::unexpected(error::of(EINVAL));
            host = host.substr(1, host.size() - 2);
        }
        parsed.v6_ = {};
        parsed.v6_.sin6_family = AF_INET6;
        parsed.v6_.sin6_port = htons(*port);
        if (!host.empty() && inet_pton(AF_INET6, host.c_str(), &parsed.v6_.sin6_addr) != 1) {
            return std::unexpected(error::of(EINVAL));
        }
        parsed.size_ = sizeof parsed.v6_;
        return parsed;
    }
    parsed.v4_ = {};
    parsed.v4_.sin_family = AF_INET;
    parsed.v4_.sin_port = htons(*port);
    if (inet_pton(AF_INET, host.c_str(), &parsed.v4_.sin_addr) != 1) return std::unexpected(error::of(EINVAL));
    parsed.size_ = sizeof parsed.v4_;
    return parsed;
}

address address::loopback(std::uint16_t port)
{
    address a;
    a.v4_ = {};
    a.v4_.sin_family = AF_INET;
    a.v4_.sin_port = htons(port);
    a.v4_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.size_ = sizeof a.v4_;
    return a;
}

std::string address::host() const
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    switch (family()) {
        case AF_INET:
            return inet_ntop(AF_INET, &v4_.sin_addr, text.data(), text.size());
        case AF_INET6:
            // An IPv4 client of a dual-stack socket.
            if (IN6_IS_ADDR_V4MAPPED(&v6_.sin6_addr)) {
                return inet_ntop(AF_INET, &v6_.sin6_addr.s6_addr[12], text.data(), text.size());
            }
            return inet_ntop(AF_INET6, &v6_.sin6_addr, text.data(), text.size());
        default:
            return "unix:";
    }
}

std::uint16_t address::port() const
{
    switch (family()) {
        case AF_INET:
            return ntohs(v4_.sin_port);
        case AF_INET6:
            return ntohs(v6_.sin6_port);
        default:
            return 0;
    }
}

std::array<std::uint8_t, 16> address::ip() const
{
    std::array<std::uint8_t, 16> bytes{};
    if (family() == AF_INET6) std::memcpy(bytes.data(), &v6_.sin6_addr, bytes.size());
    if (family() == AF_INET) {
        bytes[10] = bytes[11] = 0xff;
        std::memcpy(&bytes[12], &v4_.sin_addr, 4);
    }
    return bytes;
}

bool address::is_loopback() const
{
    switch (family()) {
        case AF_INET:
            return ntohl(v4_.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        case AF_INET6:
            return IN6_IS_ADDR_LOOPBACK(&v6_.sin6_addr) ||
                   (IN6_IS_ADDR_V4MAPPED(&v6_.sin6_addr) && v6_.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
        default:
            return family() == AF_UNIX;
    }
}

std::string address::to_string() const
{
    if (family() == AF_INET) return fmt::format("{}:{}", host(), port());
    if (family() == AF_INET6) {
        const bool is_v4 = IN6_IS_ADDR_V4MAPPED(&v6_.sin6_addr);
        return is_v4 ? fmt::format("{}:{}", host(), port()) : fmt::format("[{}]:{}", host(), port());
    }
    const std::size_t header = offsetof(sockaddr_un, sun_path);
    if (family() != AF_UNIX || size_ <= header) return "unix:";  // unnamed: an end of a pair, or a client
    if (unix_.sun_path[0] == '\0') {
        return fmt::format("unix:@{}", std::string_view(unix_.sun_path + 1, size_ - header - 1));
    }
    return fmt::format("unix:{}", std::string_view(unix_.sun_path, strnlen(unix_.sun_path, size_ - header)));
}

}  // namespace io
