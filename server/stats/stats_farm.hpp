// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/channel.hpp"
#include "server/farm.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/figures.hpp"
#include "server/messages/program_places.hpp"

namespace server {

/// The channels on which the stats workers of a core ask for figures.
struct stats_links {
    csp::bridge_out<figures_question> to_stats;
    std::vector<csp::bridge_out<core_question>> to_witnesses;  // one on each core
    csp::shared_out<parking_question> to_parking;              // of this core
    csp::bridge_out<place_order> to_cgi_desk;
};
static_assert(csp::mobile<stats_links>);

/// Answers requests about the server itself (paper, section 2.5): asks stats, the witness of each core and
/// cgi_desk, and formats their figures as the URL demands.
///
///   requests      exchange   from the front end
///   to            (links)    questions, each answered at once
///   to_back_end   exchange   answered
///
/// Client of (each worker): witness, back_end, parking, stats, cgi_desk, its own farm; server to: front_end_worker. It
/// cannot block the front end, which waits for the farm only: the farm forks a worker for every request.
csp::process stats_farm(csp::shared_in<exchange> requests, stats_links to, csp::shared_out<exchange> to_back_end);

}  // namespace server
