// SPDX-License-Identifier: MIT
#pragma once

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "server/exchange.hpp"
#include "server/observers/log.hpp"
#include "server/observers/stats.hpp"
#include "server/settings.hpp"

namespace server {

enum class access_log : std::uint8_t { off, combined, json };
[[nodiscard]] access_log access_log_of(const log_rules& rules);

/// The drain of the network: takes the connection out of an answered exchange and sends it round again, or lets it
/// close; notes the hit for the log and the statistics, and tells both a few times a second (paper, section 2.5).
///
///   done         exchange    answered, from every farm
///   to_parking   conn        for its next request, to linger, or to be closed; null: one of another carrier has ended
///   to_log       log_lines   access lines, many at once; and why the server failed to answer
///   to_stats     tally       what came since the last one
///
/// Deadlock: a client of parking, the log and the statistics, none of which is a client of anybody who waits for the
/// back end; a server to the farms.
csp::process back_end(access_log wanted, csp::in<exchange> done, csp::out<conn> to_parking,
                      csp::shared_out<log_lines> to_log, csp::buffered_out<tally> to_stats);

}  // namespace server
