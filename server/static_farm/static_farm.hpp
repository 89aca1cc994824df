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

/// Workers that answer with pages: those that the cache sent along, files beneath the root, and error pages, their own
/// and those of every other stage. The get.page of the paper's Figure 4.
///
///   requests      exchange        by way of the cache
///   to_cache      looked_up       what a look at a file has shown
///   to_etags      etag_question   what a large file's tag is
///   to_desk       compression_job  a text for a client that takes it compressed only
///   to_back_end   exchange        answered; or in part, if the client left or memory ran out
///
/// Each request is answered by the policy and the site that it has with it.
/// A slow client holds its worker, and no other: the farm forks more.
/// Deadlock: a worker is a client of its farm, of etags, cache_control, the compression desk and by that the
/// compressor, and the back end, in this order; a server to the cache's requests.
csp::process static_farm(std::size_t spare, csp::shared_in<exchange> requests, csp::shared_out<looked_up> to_cache,
                         csp::shared_out<etag_question> to_etags, csp::shared_out<compression_job> to_desk,
                         csp::shared_out<exchange> to_back_end);

}  // namespace server
