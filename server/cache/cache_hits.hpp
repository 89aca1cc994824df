// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "csp/channel.hpp"
#include "server/cache/protocols.hpp"

namespace server {

/// Adds up the hits that the cache processes tell, until cache_control wants to know them. It is a process of its own
/// so that a cache process need not wait for cache_control: that may just wait for it to take a new page.
///
///   hits        slot_number     one for each request for the page of that slot
///   questions   hits_question   from cache_control, which takes the answer at once
///   answers     recent_hits     those since the last question, of the slots that had any
///
/// Promise: always takes.
/// Deadlock: a pure server.
csp::process cache_hits(std::size_t slots, csp::in<slot_number> hits, csp::in<hits_question> questions,
                        csp::out<recent_hits> answers);

}  // namespace server
