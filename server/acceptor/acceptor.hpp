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

/// Takes new connections from one listening socket into the network. When `removed` or `server_ends` is closed, it
/// takes the connections that the kernel has already accepted, and ends.
///
///   removed      stop        never written; closed when the address is removed and no other server has it
///   server_ends  stop        never written; closed at the end of the server
///   until_left   stop        never written; closed when it has ended
///   to_parking   conn        each new connection; null: no descriptor is left for one
///   to_log       log_lines   why a connection could not be accepted, at most one line a minute
///
/// Client of: parking (`to_parking`), relay (`to_log`).
csp::process acceptor(io::listener from, descriptors how_many, csp::in<stop> removed, csp::in<stop> server_ends,
                      csp::shared_out<stop> until_left, csp::shared_out<conn> to_parking,
                      csp::shared_out<log_lines> to_log);

/// Runs an acceptor for each listening socket. When the server is to stop, this process is told first: it ends the
/// acceptors, and then tells parking.
///
///   changes         listening_change   from config: the addresses to open and to close
///   stops           stop               from the supervisor: `now`, or first `gently` and later `now`
///   to_parking      conn               new connections
///   stop_parking    stop               each of `stops`
///   to_log          log_lines
///
/// Promise: takes a change at once. Tells parking of the end when all acceptors have ended, so that the connections
/// that the kernel has accepted come first; but after a second at the latest, and not later than the next order.
/// Client of: parking (`stop_parking`), once it has been told to stop; server to: config, supervisor. Once told to
/// stop, it takes no change; when it ends, the output of config ends too. It never outputs to an acceptor, which may be
/// waiting until parking has room for a new connection, but closes its ends.
csp::process acceptors(std::vector<listening> from, descriptors how_many, csp::in<listening_change> changes,
                       csp::in<stop> stops, csp::shared_out<conn> to_parking, csp::out<stop> stop_parking,
                       csp::shared_out<log_lines> to_log);

}  // namespace server
