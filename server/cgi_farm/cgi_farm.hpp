// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "csp/channel.hpp"
#include "server/farm.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/log_lines.hpp"
#include "server/messages/program_places.hpp"

namespace server {

/// The channels of a cgi_page to the processes that it asks or reports to.
struct cgi_links {
    csp::bridge_out<place_order> to_desk;
    csp::shared_out<log_lines> to_log;
    csp::shared_out<exchange> to_cache;
};
static_assert(csp::mobile<cgi_links>);

/// A farm of workers, cgi_page, each of which runs a program for a request and sends its output to the client (paper,
/// section 2.3).
///
///   requests      exchange     from the front end
///   to.desk       place_order  asks for a place, and returns it: the programs that run at once are limited
///   to.log        log_lines    what a program wrote to its standard error, and why it failed
///   to.cache      exchange     not answered: errors, which become pages, and redirects to other paths of the site
///   to_back_end   exchange     answered; incompletely, if the client or the program left
///
/// A slow client or program occupies its worker only: the farm forks another when too few are idle.
///
/// Client of (each worker): cgi_desk (`places`), relay (`lines`), cache_hash_request (`plain`), back_end (`done`), its
/// own farm; server to: front_end_worker, body_feeder. It cannot block for ever: none of these is a client of a worker,
/// only of the farm, which always takes, and the wait for a place has a time limit.
csp::process cgi_farm(std::size_t spare, csp::shared_in<exchange> requests, cgi_links to,
                      csp::shared_out<exchange> to_back_end);

}  // namespace server
