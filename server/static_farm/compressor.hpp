// SPDX-License-Identifier: MIT
//
// Compression outside the hot path. One compressor serves the whole server. It has a core (a thread) of its own,
// because it may be busy for tenths of a second. Each core has a desk in front of it, which takes jobs at any time.
//
//   cache_process --jobs--> compression_desk --(bridge)--> compressor --(bridge, in the job)--> cache_control
//
// A second desk on each core does the same for the page workers, whose clients wait for the result.
#pragma once

#include <cstddef>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/messages/compression.hpp"

namespace server {

/// Compresses texts. One for the whole server.
///
///   jobs   compression_job   from the couriers of all desks, each with the end for its answer
///
/// Promise: answers each job once, if need be with an empty answer. If the asker no longer waits for the answer, it
/// skips what is left of the job. It ends when the desks have ended. Client of: cache_control (the answer to a job);
/// server to: courier. It cannot block for ever: cache_control takes compressed texts in every round, and a page worker
/// takes its answer before anything else.
csp::process compressor(csp::in<compression_job> jobs);

/// A queue of jobs for the compressor, on the core where they arise. A bridge is synchronous: without the desk a
/// process with a job would wait until the compressor has finished its present text.
///
///   jobs            compression_job   from this core
///   to_compressor   compression_job   in the order of arrival; at most `most_bytes` of them wait
///
/// Promise: always takes `jobs`. If there is no room for a job, it is rejected at once, and the process may try again
/// later. The desk ends when all writers have ended and the compressor has taken the waiting jobs.
/// Client of: none; server to: page_worker or cache_process, and its couriers. It cannot block: for each job it forks a
/// courier, which waits for the compressor or for the asker.
csp::process compression_desk(std::size_t most_bytes, csp::in<compression_job> jobs,
                              csp::bridge_out<compression_job> to_compressor);

}  // namespace server
