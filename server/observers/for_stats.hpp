// SPDX-License-Identifier: MIT
#pragma once

#include "server/exchange.hpp"
#include "server/settings.hpp"

namespace server {

/// Whether the request is for the server itself: /stats.html, /stats.json, /metrics, /healthz. By whom it may be asked
/// for, `rules` say; for others these are pages like any.
[[nodiscard]] bool is_for_stats(const exchange_record& x, stats_rules rules);

}  // namespace server
