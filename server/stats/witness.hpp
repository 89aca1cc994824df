// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/messages/figures.hpp"

namespace server {

/// The state of every core, in the order of the cores.
csp::step<std::vector<core_view>> ask_all(std::vector<csp::bridge_out<core_question>>& witnesses);

/// Whether every core answers a request that the server itself sends through the whole network. Waits for the answers
/// without a time limit.
csp::step<bool> all_answer(std::vector<csp::bridge_out<core_question>>& witnesses);

/// Reports the state of its core: its connections, its cache, and the processes in the runtime's registry.
///
///   questions    core_question      from the stats workers of all cores, the watchdog, the sessions and the supervisor
///   to_parking   parking_question   contains a probe, if the question asks whether requests are answered
///   to_cache     cache_question     to cache_control
///
/// Client of: cache_control (`to_cache`), parking (`to_parking`); server to: stats_worker, session, watchdog,
/// supervisor. It cannot block: neither of the two is a client of the witness or of a process that waits for it. For a
/// probe it waits for every process that a request passes; if one of these is stuck, it waits for ever, which is the
/// purpose of the watchdog. It ends when all askers have ended.
csp::process witness(csp::in<core_question> questions, csp::shared_out<parking_question> to_parking,
                     csp::out<cache_question> to_cache);

/// The witness of a core that has neither connections nor a cache: that of the compressor.
csp::process workshop_witness(csp::in<core_question> questions);

}  // namespace server
