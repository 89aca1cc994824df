// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/error.hpp"
#include "http/request.hpp"
#include "server/configuration/cgi_rules.hpp"

namespace server {

/// What the meta-variables are made of (RFC 3875, section 4.1). It borrows everything.
struct script_request {
    const http::request_head* head = nullptr;
    std::string_view script_name;     // the part of the path that selects the program; decoded
    std::string_view path_info;       // the part after it, decoded, from its slash on; empty if there is none
    std::string_view query;           // as sent, without its question mark
    std::string_view request_target;  // as sent
    std::string_view script_file;     // absolute path
    std::string_view document_root;   // absolute path
    std::optional<std::uint64_t> content_length{};  // of the body that the program will read; none: no body, or unknown
    std::string_view remote_address;                // of the client; empty if it has none
    std::string_view remote_port;                   // empty if there is none
    std::string_view server_address;                // empty on a unix socket
    std::string_view server_port;                   // likewise
    std::string_view request_id;
    bool is_https = false;
    bool is_redirected = false;  // by a program (RFC 3875 section 6.2.2): the method is GET, without a body
};

/// The most bytes that the environment of a program may have, with the NUL and the pointer of each string, and the most
/// of one string. execve(2) accepts a quarter of the limit of the stack, usually 2 MiB, and 128 KiB; the runner, in one
/// message, less.
inline constexpr std::size_t longest_environment = 256 * 1024;
inline constexpr std::size_t longest_variable = 128 * 1024;

/// The environment of a program: strings "NAME=value", each name once. A name that comes from a request field is HTTP_
/// and capital letters, digits and underscores. The configured variables come last and replace others of their name.
/// Errors: 400 a field that must not be repeated; 404 a path that cannot be passed to a program; 431 too long.
[[nodiscard]] std::expected<std::vector<std::string>, http::error> environment_of(const script_request& r,
                                                                                  const cgi_rules& rules);

}  // namespace server
