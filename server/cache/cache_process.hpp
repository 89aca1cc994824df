// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "server/messages/cache.hpp"

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

/// Keeps one page, or the fact that there is none, and answers requests for it. It sends a complete response with one
/// system call. Everything that takes longer goes to the static farm together with the page: a client that does not
/// accept all of it at once, a page that is due for a check of its file, conditions, ranges, an open file.
///
///   work             cache_work        requests, and what to keep from now on
///   to.hits          slot_number       `me`, once for each request for the page
///   to.desk          compression_job   the text of the page, once a client accepts it compressed; again after a
///   refusal to.answers       compressed        sent with that job: the answer goes to cache_control to.static_farm
///   exchange          requests that a worker must continue to.back_end      exchange          answered
///
/// Promise: never waits for a client. Does not keep a file open for longer than `freshness` after the last check, and
/// does not send a page without a check if the last one is older than `freshness`.
/// Deadlock: a client of cache_hits, of the compression desk, of the static farm and of the back end, which always
/// accept; a server to cache_hash_request.
csp::process cache_process(slot_number me, std::chrono::milliseconds freshness, csp::in<cache_work> work,
                           cache_process_links to);

}  // namespace server
