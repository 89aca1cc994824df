// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "server/exchange.hpp"
#include "server/settings.hpp"

namespace server {

/// What a static worker tells the cache after it had to look at a file.
struct looked_up {
    std::string path;   // canonical
    frozen_page found;  // the page as it is now; none: there is none that could be kept
};
static_assert(csp::mobile<looked_up>);

/// Stands between the front end and the static farm, and gives each request for a page that it keeps that page to take
/// along. It never sends anything to a client itself, so a slow one cannot hold it up.
///
///   requests    exchange    from the front end
///   found       looked_up   from the static workers: what to keep from now on
///   to_static   exchange    the same exchanges, each with its page if there is one
///
/// Promise: a page handed out as fresh was compared with its file within cache_rules::freshness.
/// Deadlock: a client of the static farm, which always takes (it forks a worker for whoever comes); a server to the
/// front end and to the static workers.
csp::process cache_hash_request(cache_rules rules, csp::in<exchange> requests, csp::in<looked_up> found,
                                csp::out<exchange> to_static);

}  // namespace server
