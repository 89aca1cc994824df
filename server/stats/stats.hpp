// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/messages/figures.hpp"

namespace server {

/// Adds up the figures of all cores and answers questions about the sum. One process for the whole server, reached over
/// bridges.
///
///   told     tally              from every core, several times a second while there is anything to report
///   asked    figures_question   from the stats workers, which take the answer at once
///   totals   tally              the sum, once, to the supervisor at the end
///
/// Client of: supervisor (`totals`); server to: first relay, stats_worker. It cannot block: it outputs the totals only
/// when `told` is closed, and then no process waits for it any more.
csp::process stats(csp::in<tally> told, csp::in<figures_question> asked, csp::out<tally> totals);

}  // namespace server
