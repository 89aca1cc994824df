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

/// The last process on the way of a request: takes the connection out of an answered exchange and returns it to
/// parking, for its next request or to be closed. Also collects access log lines and figures, and reports them a few
/// times a second (paper, section 2.5).
///
///   formats      access_log  the new format of access log lines; passed on to the log, so that it knows where it
///                            applies
///   done         exchange    answered, from every farm
///   to_parking   conn        for its next request, to linger, or to be closed; null: the exchange is over and another
///                            carrier has its connection
///   to_log       log_lines   access lines, many at once; the reasons for 5xx responses; the change of the format
///   to_stats     tally       the figures since the last report
///
/// Client of: parking (`to_parking`), relay (`to_log`), first relay (`to_stats`); server to: page_worker,
/// cache_process, stats_worker, config. It cannot block for ever: parking takes `returned` in every round, and the
/// relays never wait for the back end.
csp::process back_end(access_log wanted, csp::in<access_log> formats, csp::in<exchange> done,
                      csp::shared_out<conn> to_parking, csp::shared_out<log_lines> to_log,
                      csp::buffered_out<tally> to_stats);

}  // namespace server
