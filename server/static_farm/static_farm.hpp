// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "server/farm.hpp"
#include "server/messages/cache.hpp"
#include "server/messages/exchange.hpp"
#include "server/static_farm/compressor.hpp"
#include "server/static_farm/etags.hpp"
#include "server/static_farm/get_page.hpp"

namespace server {

/// A farm of workers that answer with pages: cached pages that came with the request, files of the site, and error
/// pages for all stages. The get.page of the paper's Figure 4.
///
///   requests      exchange         from cache_hash_request or a cache process
///   to_cache      looked_up        the result of looking at a file
///   to_etags      etag_question    asks for the tag of a large file
///   to_desk       compression_job  a text for a client that accepts only one coding
///   to_back_end   exchange         answered; incompletely, if the client disconnected or memory ran out
///
/// The policy and site in each exchange determine the answer. A slow client occupies its worker only: the farm forks
/// another when too few are idle.
///
/// Client of (each worker): etags (`to_etags`), cache_control (`to_cache`), compression_desk (`to_desk`, and courier
/// and compressor by their answers), back_end (`to_back_end`), its own farm; server to: cache_hash_request,
/// cache_process. It cannot block for ever: none of these is a client of a worker, only of the farm, which always takes
/// (see docs/DEADLOCK.md).
csp::process static_farm(std::size_t spare, csp::shared_in<exchange> requests, csp::shared_out<looked_up> to_cache,
                         csp::shared_out<etag_question> to_etags, csp::shared_out<compression_job> to_desk,
                         csp::shared_out<exchange> to_back_end);

}  // namespace server
