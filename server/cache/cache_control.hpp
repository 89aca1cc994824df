// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "server/cache/divided_contents.hpp"
#include "server/messages/cache.hpp"

namespace server {

/// Decides which pages are kept (paper, section 2.2 and Figure 3), from what the static workers look up and from the
/// hits of the cache processes. The rules are in cache_contents and divided_contents.
///
///   found       looked_up       from the static workers: a page that was not kept, or was compared with its file
///   texts       compressed      from the compressor: a kept page in other codings
///   questions   cache_question  what is kept and what competes; the client takes the answer at once
///   rooms       cache_room      from config: the memory limit for pages
///   to_hits     hits_question   before each decision
///   hits        recent_hits     the answer
///   to_cache    change          to cache_hash_request, which holds it until the cache process has its assignment
///
/// Deadlock: a client of cache_hits and of cache_hash_request, a server to the static workers, to the compressor, to
/// the witness and to config. Ends when the static workers have ended.
csp::process cache_control(cache_rules rules, csp::in<looked_up> found, csp::in<compressed> texts,
                           csp::in<cache_question> questions, csp::in<cache_room> rooms,
                           csp::out<hits_question> to_hits, csp::in<recent_hits> hits, csp::out<change> to_cache);

}  // namespace server
