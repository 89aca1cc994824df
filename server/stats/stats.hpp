// SPDX-License-Identifier: MIT
#pragma once

#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/messages/figures.hpp"

namespace server {

/// Adds up what all cores tell, and says the sum when asked. One for the whole server, reached over bridges.
///
///   told     tally              from every core's back end, some times a second while there is something to tell
///   asked    figures_question   from the cores' stats workers, who take the answer at once
///   totals   tally              the sum, at the end: to the supervisor
///
/// Deadlock: a pure server to the back ends and to those who ask; outputs the totals only when the back ends have
/// ended.
csp::process stats(csp::in<tally> told, csp::in<figures_question> asked, csp::out<tally> totals);

}  // namespace server
