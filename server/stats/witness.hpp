// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/messages/figures.hpp"

namespace server {

/// How every core stands, in their order.
csp::step<std::vector<core_view>> ask_all(std::vector<csp::bridge_out<core_question>>& witnesses);

/// Whether every core answers a request of our own that takes the way of all requests. Waits as long as that takes, for
/// ever if a core does not answer.
csp::step<bool> all_answer(std::vector<csp::bridge_out<core_question>>& witnesses);

/// All connections of these cores together.
[[nodiscard]] parking_view all_connections(const std::vector<core_view>& cores);

/// Says how its core stands: its connections, its cache, and its processes as the runtime's own registry has them.
///
///   questions    core_question      from the stats workers of all cores, and from whoever watches over the server
///   to_parking   parking_question   also with a request, if it is asked whether such are answered
///   to_cache     cache_question     to cache_control
///
/// Deadlock: a client of parking and of cache_control, which wait for a process that waits for the witness only through
/// a farm, and that always takes; a server to all that ask. Ends when these have ended.
csp::process witness(csp::in<core_question> questions, csp::shared_out<parking_question> to_parking,
                     csp::out<cache_question> to_cache);

/// The same where neither connections nor a cache are: of the workshop.
csp::process lone_witness(csp::in<core_question> questions);

}  // namespace server
