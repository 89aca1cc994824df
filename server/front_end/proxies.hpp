// SPDX-License-Identifier: MIT
//
// The clients that trusted proxies name. Only proxies in the configuration ([[proxy]]) are trusted; from any other peer
// the same fields and headers have no meaning.
#pragma once

#include <expected>
#include <vector>

#include "http/error.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/connection.hpp"

namespace server {

/// Notes in a new connection if it is from a trusted proxy. If it must begin with a PROXY header, its phase becomes
/// reading_proxy_header.
void note_proxy(connection& c, const std::vector<proxy_rule>& proxies);

/// Removes the PROXY header from the input and notes the client that it names. Returns false while the header is
/// incomplete.
[[nodiscard]] std::expected<bool, http::error> take_proxy_header(connection& c, const std::vector<proxy_rule>& proxies);

enum class speaker : std::uint8_t { client, proxy };

/// Notes the client that the proxy names in the complete head. Returns `proxy` if the request is the proxy's own, for
/// example a health check. A forwarded request counts as a client's even if the proxy does not name the client
/// ("unknown", an obfuscated identifier, an invalid field, or another field than the one configured); the client's
/// address is then that of the proxy. REQUIRES: the connection is from a proxy.
speaker name_client(connection& c, const std::vector<proxy_rule>& proxies);

}  // namespace server
