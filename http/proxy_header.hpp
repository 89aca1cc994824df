// SPDX-License-Identifier: MIT
//
// The PROXY protocol, versions 1 and 2: what a proxy says of its client before the client's first byte.
// https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

#include "http/error.hpp"
#include "http/network.hpp"

namespace http {

struct proxy_header {
    std::size_t bytes = 0;             // that it takes; what follows is the client's
    std::optional<ip_address> client;  // nothing: the proxy does not know it, or there is none
    bool is_local = false;             // there is none: the proxy speaks for itself
};

// The header at the beginning of `input`; nothing while more must come to tell, which is at most longest_proxy_header
// bytes. An error is final: whoever speaks so is no proxy of ours.
[[nodiscard]] std::expected<std::optional<proxy_header>, error> parse_proxy_header(std::string_view input);

// Longer ones of version 2, whose extensions could fill 64 KiB, are refused.
inline constexpr std::size_t longest_proxy_header = 2048;

}  // namespace http
