// SPDX-License-Identifier: MIT
#pragma once

#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/channel.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/connection.hpp"
#include "server/messages/figures.hpp"
#include "server/messages/log_lines.hpp"
#include "server/messages/stop.hpp"

namespace server {

/// Keeps the connections that no other process works on: those that wait for their next request or for the rest of a
/// head, those whose request body is discarded, and those that linger after their last response. A parked connection
/// has no worker and no buffer, only a deadline. The paper uses a pipeline of timed buffers for this (Figure 10); one
/// process is enough here, because the kernel watches any number of sockets.
///
///   policies      freezable_policy   a new configuration, for all requests forwarded from now on
///   stops         stop       starts the drain: `gently` serves one more request on each connection, `now` closes the
///                            idle connections, except those with unread input. Parking ends when `arrivals` is closed
///                            and no connection is left
///   arrivals      conn       new, from the acceptor. Parking takes one only while it has room or may close another
///                            connection for it. Null: no descriptor was left for one, so another is to be closed
///   returned      conn       from the back end: for its next request, to linger, or to be closed; null: the exchange
///                            is over and its connection is gone
///   questions     parking_question   how many connections there are; the asker takes the answer at once
///   to_front_end  conn       with a complete head at the beginning of its input, or with the error to report instead
///   to_log        log_lines  a limit was reached; for each limit at most one line a minute
///   to_stats      tally      how often limits were reached
///
/// Parking sees every connection and every request of its core, so it applies the limits for one client address. A
/// request beyond a limit is forwarded like any other and answered with 429. So is a connection beyond the limit, but
/// only for a few connections at once: in a flood most are closed without an answer. If a trusted proxy opened the
/// connection, the limits apply to the client that the proxy names; the proxy itself is limited by `connections` only.
///
/// When the core is full, parking closes the connection that has been idle longest, if it has been idle for at least
/// 250 ms. If none is idle, it closes the one whose head, body or PROXY header has been incomplete longest, counted
/// from its first byte, if that is at least five seconds; bytes that arrive meanwhile do not postpone this. A
/// connection with unread input is spared, an incomplete one only once. A connection whose request is in progress is
/// never closed.
///
/// Promise: always takes `returned`, except while it outputs to the front end.
/// Client of: front_end_farm (`to_front_end`), relay (`to_log`), first relay (`to_stats`); server to: acceptor,
/// acceptors, back_end, front_end_worker, config, witness, stats_worker. It cannot block: the farm takes every
/// connection, because it forks a worker when none is idle, and the relays never wait for parking. See
/// docs/DEADLOCK.md.
csp::process parking(policy first, csp::in<freezable_policy> policies, csp::in<stop> stops, csp::in<conn> arrivals,
                     csp::in<conn> returned, csp::in<parking_question> questions, csp::out<conn> to_front_end,
                     csp::shared_out<log_lines> to_log, csp::buffered_out<tally> to_stats);

}  // namespace server
