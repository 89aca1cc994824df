// SPDX-License-Identifier: MIT
#pragma once

#include "server/exchange.hpp"

namespace server {

/// Whether the request is for the server itself: /stats.html, /stats.json, /metrics, /healthz. By whom it may be asked
/// for, its policy says; for others these are pages like any.
[[nodiscard]] bool is_for_stats(const exchange_record& x);

}  // namespace server
