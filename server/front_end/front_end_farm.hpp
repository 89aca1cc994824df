// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "server/farm.hpp"
#include "server/messages/exchange.hpp"

namespace server {

/// A farm of workers, each of which handles one request at a time: it parses the head, makes an exchange of the
/// connection, and sends it to the process that answers it. The fe.farm of the paper's Figure 2, which keeps `spare`
/// workers idle.
///
///   requests     conn       from parking: with a complete head, or with the error to report instead
///   to_cache     exchange   requests for pages, and all errors
///   to_stats     exchange   requests about the server itself
///   to_cgi       exchange   requests that programs answer
///   to_parking   conn       to be closed: memory ran out while its request was handled
///
/// Client of (each worker): cache_hash_request (`to_cache`), stats_farm (`to_stats`), cgi_farm (`to_cgi`), parking
/// (`to_parking`), its own farm; server to: parking. It cannot block for ever: cache_hash_request passes requests on to
/// processes and farms that always take, and parking takes `returned` in every round (see docs/DEADLOCK.md).
csp::process front_end_farm(std::size_t spare, csp::shared_in<conn> requests, csp::shared_out<exchange> to_cache,
                            csp::shared_out<exchange> to_stats, csp::shared_out<exchange> to_cgi,
                            csp::shared_out<conn> to_parking);

}  // namespace server
