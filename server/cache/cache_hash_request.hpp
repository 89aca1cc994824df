// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/channel.hpp"
#include "server/messages/cache.hpp"

namespace server {

/// Sends each request for a kept page to the cache process that keeps it, and all others to the static farm (paper,
/// section 2.2). It knows pages only by the hash of their path; a cache process that receives a request for another
/// page with the same hash passes it on to the static farm. It also records which other paths were requested before, so
/// that the absence of a path is kept only when it is requested again.
///
///   requests    exchange     from the front end
///   changes     change       from cache_control, in extended rendezvous
///   to_cache    cache_work   to each cache process: requests, and what to keep from now on
///   to_static   exchange     all other requests
///
/// Promise: cache_control is released from a change only when the cache process has its assignment and the table is
/// updated. So a request never goes to a process that does not have the page.
/// Deadlock: a client of the cache processes and of the static farm, which always accepts (it forks a worker for every
/// request); a server to the front end and to cache_control. See docs/DEADLOCK.md.
csp::process cache_hash_request(csp::in<exchange> requests, csp::in<change> changes,
                                std::vector<csp::out<cache_work>> to_cache, csp::shared_out<exchange> to_static);

}  // namespace server
