// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "server/farm.hpp"
#include "server/messages/exchange.hpp"

namespace server {

/// Workers that understand one request at a time: each parses its head, makes an exchange of the connection, and sends
/// it to the part of the network that will answer. The fe.farm of the paper's Figure 2, which keeps `spare` workers
/// idle.
///
///   requests     conn       from parking: with a complete head, or the reason why there is none
///   to_cache     exchange   for everything that is a page, error pages among them
///   to_stats     exchange   for the server itself
///   to_parking   conn       to be closed: there was no memory to work on its request
///
/// Deadlock: a worker is a client of its farm, of the stats farm and of the cache, in this order, and of parking (see
/// docs/DEADLOCK.md); a server to parking.
csp::process front_end_farm(std::size_t spare, csp::shared_in<conn> requests, csp::shared_out<exchange> to_cache,
                            csp::shared_out<exchange> to_stats, csp::shared_out<conn> to_parking);

}  // namespace server
