// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/messages/program_places.hpp"

namespace server {

/// Limits how many programs run at once, for each route with programs. The server has it once, because the limits are
/// for all cores together.
///
///   orders    place_order   from cgi_page, which asks for a place and returns it, and from stats_worker
///
/// Promise: takes orders at any time. A request for a place is answered when one is free, in the order of the requests,
/// or after its longest wait; at once if too many wait already. Without memory for the request it is refused.
/// Deadlock: a pure server. Its clients take their answers before they do anything else.
csp::process cgi_desk(csp::in<place_order> orders);

}  // namespace server
