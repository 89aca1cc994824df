// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/channel.hpp"
#include "io/acceptor.hpp"
#include "server/connection.hpp"
#include "server/front_end/parking.hpp"
#include "server/observers/log.hpp"

namespace server {

/// Takes new connections from one listening socket into the network.
///
///   stops        stop        once: it accepts no more and ends
///   to_parking   conn        each new connection
///   to_log       log_lines   why one could not be taken
///
/// Deadlock: a client of parking and the log.
csp::process acceptor(io::listener from, csp::in<stop> stops, csp::shared_out<conn> to_parking,
                      csp::shared_out<log_lines> to_log);

/// An acceptor for each listening socket, and the first to hear that the server is to stop: it tells them, and when
/// they have ended, parking.
///
///   stops           stop        from the supervisor: gently, perhaps, and then at once
///   to_parking      conn        new connections
///   stop_parking    stop        when no new connection will come
///   to_log          log_lines
csp::process acceptors(std::vector<io::listener> from, csp::in<stop> stops, csp::shared_out<conn> to_parking,
                       csp::out<stop> stop_parking, csp::shared_out<log_lines> to_log);

}  // namespace server
