// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/channel.hpp"
#include "server/cache/protocols.hpp"

namespace server {

/// Stands between the front end and the static farm, and sends each request for a page that is kept to the process
/// that keeps it (paper, section 2.2). It knows the pages by the hash of their path only; a cache process that is sent
/// a request for another page of the same hash passes it on. It also notes which other paths were asked for before, so
/// that a path without a file is kept only when it is asked for again.
///
///   requests    exchange     from the front end
///   changes     change       from cache_control, in extended rendezvous
///   to_cache    cache_work   to each cache process: requests, and what to keep from now on
///   to_static   exchange     all other requests
///
/// Promise: cache_control is released from a change only when the cache process has taken its assignment and the table
/// tells it; so no request is ever sent to a process that was not given its page.
/// Deadlock: a client of the cache processes and of the static farm, which always takes (it forks a worker for whoever
/// comes); a server to the front end and to cache_control. See docs/DEADLOCK.md.
csp::process cache_hash_request(csp::in<exchange> requests, csp::in<change> changes,
                                std::vector<csp::out<cache_work>> to_cache, csp::shared_out<exchange> to_static);

}  // namespace server
