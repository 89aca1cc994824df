// SPDX-License-Identifier: MIT
//
// The pictures of the server, each a process of the name above it. network.cpp is the same in code: channels are the
// arrows, par() puts the processes side by side.
#pragma once

#include <vector>

#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/configuration/policy.hpp"
#include "server/configuration/settings.hpp"
#include "server/lifecycle/opened.hpp"
#include "server/messages/cache.hpp"
#include "server/messages/compression.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/figures.hpp"
#include "server/messages/listening.hpp"
#include "server/messages/log_lines.hpp"
#include "server/messages/program_places.hpp"
#include "server/messages/stop.hpp"

namespace server {

/// What the processes of a core are made with, and keep through all reloads.
struct core_settings {
    unsigned spare_workers = 0;  // idle workers that each farm keeps ready
    server::descriptors descriptors = server::descriptors::plentiful;
    cache_rules cache;
    access_log log = access_log::off;
};
[[nodiscard]] core_settings core_settings_of(const settings& s);

/// A core's ends of the bridges that join it to what the server has once.
struct core_link {
    csp::in<freezable_policy> policies;  // from config, as the next three
    csp::in<access_log> formats;
    csp::in<cache_room> rooms;
    csp::in<listening_change> addresses;
    csp::in<stop> stops;           // from the supervisor
    csp::in<core_question> asked;  // of the witness
    csp::buffered_out<log_lines> lines;
    csp::buffered_out<tally> answered, refused;
    csp::bridge_out<compression_job> to_compressor;
    csp::bridge_out<figures_question> to_stats_desk;
    csp::bridge_out<place_order> to_cgi_desk;
    std::vector<csp::bridge_out<core_question>> to_witnesses;  // of all cores
};

/// Figure 1 of the paper, on one core:
///
///                  +------------------------------ returned -------------------------------+
///                  v                                                                       |
///   acceptors -> parking -front-> front_end_farm -plain-> page_cache ------done-----> back_end -> log, stats
///                                    |  |             ^    |      ^                       ^
///                                    |  |             |  pages  found                     |
///                                    |  |             |    v      |                       |
///                                    |  |             |  static_pages --------done--------+
///                                    |  |           plain                                 |
///                                    |  +-for_cgi-> cgi_farm -----------------done--------+
///                                    +--for_stats-> stats_farm ---------------done--------+
///
/// The cgi_farm sends on what it cannot answer: errors, and redirects within the site.
/// Beside the way of requests: witness asks parking (how_busy) and page_cache (what_is_kept) for the view of its core;
/// stats_farm asks the witnesses of all cores, stats, and parking; cgi_farm asks cgi_desk (places), which the server
/// has once, and has its programs started by the runner, which is no process of this network but one of the operating
/// system (server/sandbox/runner.hpp); relay passes on to the log what acceptors, parking, cgi_farm and back_end
/// report.
csp::process hot_path(core_settings s, policy first, std::vector<listening> listeners, core_link link);

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

/// The static farm, and what its workers ask:
///
///   requests --> static_farm -questions-> etags -> (hasher)
///                 |  |  |
///                 |  |  +-awaited-> compression_desk --> (compressor)
///                 |  +-> found
///                 +----> to_back_end
///
/// The texts on `awaited` are those that a client waits for. Other texts go to the compression_desk of page_cache.
csp::process static_pages(unsigned spare_workers, csp::shared_in<exchange> requests, csp::shared_out<looked_up> found,
                          csp::bridge_out<compression_job> to_compressor, csp::shared_out<exchange> to_back_end);

/// The whole server. Its parts:
///
///   hot_path on every core ==> log, stats, cgi_desk   once in the server; the double arrows are bridges
///            ||            ==> compressor      on the workshop, a core for what takes long
///            ^^
///   operations (supervisor, config, control, upgrades; watchdog, fault_watch, steward_watch)
///
/// It ends when SIGTERM or SIGINT has come and what was under way is done, or `patience::grace` is over; or, with exit
/// code 1, when a process has faulted without which it cannot go on.
csp::process web_server(settings s, opened o);

}  // namespace server
