// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "server/cache/protocols.hpp"

namespace server {

/// The output ends of a cache process; all have the same.
struct cache_process_links {
    csp::shared_out<slot_number> hits;
    csp::shared_out<compression_job> desk;
    csp::bridge_out<compressed> answers;
    csp::shared_out<exchange> static_farm;
    csp::shared_out<exchange> back_end;
};
static_assert(csp::mobile<cache_process_links>);

/// Keeps one page, or the fact that there is none, and answers requests for it. A ready response is sent in one call.
/// Everything that takes longer is passed on to the static farm with the page: a client that does not take all of it at
/// once, a page that is due for a look at its file, conditions, ranges, a file that is kept open.
///
///   work             cache_work        requests, and what to keep from now on
///   to.hits          slot_number       `me`, once for each request for the page
///   to.desk          compression_job   the page's text, once it is wanted compressed, and again if it was turned down
///   to.answers       compressed        goes with that job: the answer is for cache_control
///   to.static_farm   exchange          what a worker is to go on with
///   to.back_end      exchange          answered
///
/// Promise: never waits for a client. A file is not kept open for longer than `freshness` after the last look. A page
/// is sent without a look at its file only if the last one was within `freshness`. Deadlock: a client of cache_hits, of
/// the compression desk, of the static farm and of the back end, which all always take; a server to cache_hash_request.
csp::process cache_process(slot_number me, std::chrono::milliseconds freshness, csp::in<cache_work> work,
                           cache_process_links to);

}  // namespace server
