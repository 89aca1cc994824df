// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "io/signals.hpp"
#include "server/configuration/policy.hpp"
#include "server/configuration/settings.hpp"
#include "server/lifecycle/opened.hpp"
#include "server/log/log.hpp"
#include "server/messages/cache.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/figures.hpp"
#include "server/messages/listening.hpp"
#include "server/messages/stop.hpp"
#include "server/service/control_socket.hpp"
#include "server/service/inherited.hpp"
#include "server/service/manager.hpp"

namespace server {

/// Figure 3 of the paper: the pages that are kept, and the competition for being one of them.
///
///                                   +-------------------- changes --------------------+
///                                   v                                                 |
///   requests --------------> cache_hash_request ---> to_static                  cache_control <--- found
///                               | | | | | |             ^                         |       ^  ^
///                               v v v v v v             |                      how_many   |  |
///                              cache_process -----------+                         v  so_many |
///                              |          | +--------------- hits ------------> cache_hits   |
///                              v          |                                                  |
///                         to_back_end     +-- jobs --> compression_desk --> (compressor) -- texts
///
///   requests        exchange          from the front end
///   found           looked_up         from the static workers
///   questions       cache_question    from the witness
///   rooms           cache_room        from config
///   to_compressor   compression_job   on a core of its own
///   to_static       exchange          what is not kept, and what a cache process cannot do at once
///   to_back_end     exchange          answered
csp::process page_cache(cache_rules rules, csp::in<exchange> requests, csp::in<looked_up> found,
                        csp::in<cache_question> questions, csp::in<cache_room> rooms,
                        csp::bridge_out<compression_job> to_compressor, csp::shared_out<exchange> to_static,
                        csp::shared_out<exchange> to_back_end);

/// What joins a core to the observers, which the whole server has once.
struct observers_link {
    csp::in<policy> policies;
    csp::in<access_log> formats;
    csp::in<cache_room> rooms;
    csp::in<listening_change> addresses;
    csp::in<stop> stops;
    csp::buffered_out<log_lines> to_log;
    csp::buffered_out<tally> to_stats;
    csp::buffered_out<tally> refused_to_stats;
    csp::bridge_out<compression_job> to_compressor;
    csp::in<core_question> asked;
    csp::bridge_out<figures_question> to_stats_desk;
    std::vector<csp::bridge_out<core_question>> to_witnesses;
};

/// Figure 1 of the paper, on one core:
///
///                  +------------------------------ returned -------------------------------+
///                  v                                                                       |
///   acceptor -> parking -front-> front_end_farm -plain-> page_cache ------done------> back_end -> log, stats
///                                 |                       |      ^                       ^
///                             for_stats                 pages  found                     |
///                                 |                       v      |                       |
///                                 |                     static_farm --------done---------+
///                                 +-----------------> stats_farm -----------done---------+
csp::process hot_path(settings s, policy first, std::vector<listening> listeners, observers_link link);

/// The whole server: Figure 1 on every core, and the observers on the first. Ends when SIGTERM or SIGINT has come and
/// what was under way is done, or `patience::grace` is over; or, with exit code 1, when a process has faulted without
/// which it cannot go on.
csp::process web_server(settings s, opened o);

}  // namespace server
