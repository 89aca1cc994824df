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

/// Where connections wait: for their next request, for the rest of a head, for the end of a body that nobody wants.
/// A parked connection has no worker and no buffer, just a deadline. This is the pipeline of timed buffers of the
/// paper's Figure 10 in one process, since the kernel now watches any number of sockets for us.
///
///   policies      policy a new configuration: of all that is forwarded from now on
///   stops         stop   now: the idle are closed, except those from which bytes have come; gently: each may ask once
///                        more. Parking ends when `arrivals` is closed and no connection is left
///   arrivals      conn   new from the acceptor; while the connections are as many as may be, one is taken only when
///                        another yields to it. Null: no descriptor was left for one, so another is to yield
///   returned      conn   from the back end, for its next request, to linger, or to be closed; null: it has ended
///   questions     parking_question   how many connections there are; whoever asks takes the answer at once
///   to_front_end  conn   with a complete head at the beginning of its input, or with the reason why none will come
///   to_log        log_lines  which limit bites, once a minute for each
///   to_stats      tally      how often
///
/// It sees every connection and every request of its core, so the limits for one address are kept here. A request that
/// is one too many takes the way of all requests, and its answer says so; so does a connection that is one too many,
/// but only a limited number at once: a flood gets no answers. A connection or a request from a trusted proxy counts
/// for the client that the proxy names; the proxy itself has no limit but `connections`.
///
/// The connection that yields is the one that has been idle longest, if for at least a quarter of a second. If none is
/// idle, it is the one whose head (or body, or PROXY header) has been incomplete longest, counted from its first byte,
/// if for at least five seconds; bytes that come meanwhile do not put this off. One from which bytes have come that
/// nobody has looked at is passed over, but only once while its head is incomplete. A connection whose request is under
/// way never yields.
///
/// Promise: always takes `returned`, but for the moments in which it outputs to the front end.
/// Deadlock: it is a client of the front-end farm, which always takes (it forks a worker for whoever comes), and a
/// server to the acceptor and the back end, and to config; the log and the statistics are pure servers. See
/// docs/DEADLOCK.md.
csp::process parking(policy first, csp::in<policy> policies, csp::in<stop> stops, csp::in<conn> arrivals,
                     csp::in<conn> returned, csp::in<parking_question> questions, csp::out<conn> to_front_end,
                     csp::shared_out<log_lines> to_log, csp::buffered_out<tally> to_stats);

}  // namespace server
