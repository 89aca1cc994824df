// SPDX-License-Identifier: MIT
//
// The clients that proxies name. Only proxies that the operator has named ([[proxy]]) are believed; whoever else says
// the same is a client that says odd things.
#pragma once

#include <expected>
#include <vector>

#include "http/error.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/connection.hpp"

namespace server {

/// A new connection: if it is a proxy's, it is noted so, and one that must begin with a PROXY header is in the phase of
/// `introduction` then.
void meet(connection& c, const std::vector<proxy_rule>& proxies);

/// Takes the PROXY header off the input. Yields whether all of it was there: whose the connection is, is known then.
[[nodiscard]] std::expected<bool, http::error> take_introduction(connection& c, const std::vector<proxy_rule>& proxies);

enum class speaker : std::uint8_t { client, proxy };

/// Finds out from the complete head whose request it is. Yields whether it is a proxy's own, as a health check is: one
/// that is not passed on. A request that is, but whose client the proxy does not name ("unknown", an obfuscated
/// identifier, a broken field, another field than the one configured), counts as a client's at the proxy's address.
/// REQUIRES: the connection is a proxy's.
speaker name_client(connection& c, const std::vector<proxy_rule>& proxies);

}  // namespace server
