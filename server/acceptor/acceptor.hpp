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

/// Takes new connections from one listening socket into the network. It ends when `removed` or `server_ends` is closed,
/// and before that takes what the kernel has accepted already.
///
///   removed      stop        never written; closed when the address is removed and no other server has it
///   server_ends  stop        never written; closed at the end of the server
///   until_left   stop        never written; closed when it has ended
///   to_parking   conn        each new connection; null: no descriptor is left for one
///   to_log       log_lines   why one could not be taken, once a minute at most
///
/// Deadlock: a client of parking and the log.
csp::process acceptor(io::listener from, descriptors how_many, csp::in<stop> removed, csp::in<stop> server_ends,
                      csp::shared_out<stop> until_left, csp::shared_out<conn> to_parking,
                      csp::shared_out<log_lines> to_log);

/// An acceptor for each listening socket. It is told first that the server is to stop: it ends the acceptors, and then
/// tells parking.
///
///   changes         listening_change   from config: which addresses there are from now on
///   stops           stop               from the supervisor: gently, perhaps, and then at once
///   to_parking      conn               new connections
///   stop_parking    stop               each of `stops`
///   to_log          log_lines
///
/// Promise: takes a change at once. Tells parking of the end when all acceptors have ended, so that the connections
/// that the kernel has accepted come first; but after a second at the latest, and not later than the next order. An
/// acceptor may wait for room in a parking that is full, with a client in its hands, so nothing is ever output to one.
/// Deadlock: a server to config and the supervisor; a client of parking, but only once it has been told to stop. From
/// then on it takes no change; the output of config ends with it.
csp::process acceptors(std::vector<listening> from, descriptors how_many, csp::in<listening_change> changes,
                       csp::in<stop> stops, csp::shared_out<conn> to_parking, csp::out<stop> stop_parking,
                       csp::shared_out<log_lines> to_log);

}  // namespace server
