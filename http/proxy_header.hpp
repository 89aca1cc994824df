// SPDX-License-Identifier: MIT
//
// The PROXY protocol, versions 1 and 2: the header in which a proxy names its client, before the first byte of that
// client. https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

#include "http/error.hpp"
#include "http/ip.hpp"

namespace http {

struct proxy_header {
    std::size_t bytes = 0;             // length of the header; what follows comes from the client
    std::optional<ip_address> client;  // nullopt: the proxy does not know it, or there is none
    bool is_local = false;             // no client: the proxy opened the connection for itself
};

/// Parses the header at the beginning of `input`. Returns nullopt while more input is needed, which is at most
/// longest_proxy_header bytes. An error is final: the peer is not a proxy that uses this protocol.
[[nodiscard]] std::expected<std::optional<proxy_header>, error> parse_proxy_header(std::string_view input);

/// Longer headers of version 2, whose extensions could take 64 KiB, are refused.
inline constexpr std::size_t longest_proxy_header = 2048;

}  // namespace http
