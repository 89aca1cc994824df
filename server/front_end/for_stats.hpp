// SPDX-License-Identifier: MIT
#pragma once

#include "server/messages/exchange.hpp"

namespace server {

/// Whether the request is about the server itself: /stats.html, /stats.json, /metrics or /healthz, from a client that
/// the policy permits to see them. For other clients these are ordinary paths of the site.
[[nodiscard]] bool is_for_stats(const exchange_record& x);

}  // namespace server
