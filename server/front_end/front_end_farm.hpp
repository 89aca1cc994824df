// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "server/exchange.hpp"
#include "server/farm.hpp"

namespace server {

/// Understands one request at a time: parses its head, makes an exchange of the connection, and sends it to the part
/// of the network that will answer. The fe.process of the paper's Figure 2.
///
///   farm       seat       reports to the farm and orders from it
///   requests   conn       from parking: with a complete head, or the reason why there is none
///   to_cache   exchange   for everything that is a page, error pages among them
///   to_stats   exchange   for the server itself
///
/// Deadlock: a client of its farm, of the stats farm and of the cache, in this order; a server to parking.
csp::process front_end_worker(seat farm, csp::shared_in<conn> requests, csp::shared_out<exchange> to_cache,
                              csp::shared_out<exchange> to_stats);

/// The fe.farm of Figure 2: keeps `spare` workers idle.
csp::process front_end_farm(std::size_t spare, csp::shared_in<conn> requests, csp::shared_out<exchange> to_cache,
                            csp::shared_out<exchange> to_stats);

}  // namespace server
