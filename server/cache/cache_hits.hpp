// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "csp/channel.hpp"
#include "server/messages/cache.hpp"

namespace server {

/// Adds up the hits that the cache processes report until cache_control asks for them. It is a separate process so that
/// a cache process never waits for cache_control, which may itself be waiting for that cache process to accept a new
/// page.
///
///   hits        slot_number     one for each request for the page of that slot
///   questions   hits_question   from cache_control, which takes the answer at once
///   answers     recent_hits     hits since the last question, of the slots that had any
///
/// Promise: always accepts hits.
/// Deadlock: a pure server.
csp::process cache_hits(std::size_t slots, csp::in<slot_number> hits, csp::in<hits_question> questions,
                        csp::out<recent_hits> answers);

}  // namespace server
