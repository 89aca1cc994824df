// SPDX-License-Identifier: MIT
#pragma once

#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/channel.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/figures.hpp"
#include "server/messages/log_lines.hpp"

namespace server {

/// The drain of the network: takes the connection out of an answered exchange and sends it round again, or lets it
/// close; notes the hit for the log and the statistics, and tells both a few times a second (paper, section 2.5).
///
///   formats      access_log  how access lines are to be written from now on; the log is told with the next of them
///   done         exchange    answered, from every farm
///   to_parking   conn        for its next request, to linger, or to be closed; null: one of another carrier has ended
///   to_log       log_lines   access lines, many at once; why the server failed to answer; that it heard of a format
///   to_stats     tally       what came since the last one
///
/// Deadlock: a client of parking, the log and the statistics, none of which is a client of anybody who waits for the
/// back end; a server to the farms and to config.
csp::process back_end(access_log wanted, csp::in<access_log> formats, csp::in<exchange> done,
                      csp::shared_out<conn> to_parking, csp::shared_out<log_lines> to_log,
                      csp::buffered_out<tally> to_stats);

}  // namespace server
