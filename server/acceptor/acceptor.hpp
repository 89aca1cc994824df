// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/channel.hpp"
#include "io/acceptor.hpp"
#include "server/messages/connection.hpp"
#include "server/messages/listening.hpp"
#include "server/messages/log_lines.hpp"
#include "server/messages/stop.hpp"

namespace server {

/// Takes new connections from one listening socket into the network.
///
///   stops        stop        once: it accepts no more and ends; closed: the same, when nobody waits at the address
///   to_parking   conn        each new connection; null: no descriptor is left for one
///   to_log       log_lines   why one could not be taken, once a minute at most
///
/// Deadlock: a client of parking and the log.
csp::process acceptor(io::listener from, descriptors how_many, csp::in<stop> stops, csp::shared_out<conn> to_parking,
                      csp::shared_out<log_lines> to_log);

/// An acceptor for each listening socket, and the first to hear that the server is to stop: it tells them, and when
/// they have ended, parking.
///
///   changes         listening_change   from config: which addresses there are from now on
///   stops           stop               from the supervisor: gently, perhaps, and then at once
///   to_parking      conn               new connections
///   stop_parking    stop               when no new connection will come
///   to_log          log_lines
///
/// Promise: takes a change at once. An acceptor that is to end may wait for room in parking with a client in its hands,
/// so it is not waited for: its channel is closed.
/// Deadlock: a server to config and the supervisor; a client of its acceptors and of parking, but only once it has been
/// told to stop. From then on it takes no change, and nobody waits for config, whose output ends with it.
csp::process acceptors(std::vector<listening> from, descriptors how_many, csp::in<listening_change> changes,
                       csp::in<stop> stops, csp::shared_out<conn> to_parking, csp::out<stop> stop_parking,
                       csp::shared_out<log_lines> to_log);

}  // namespace server
