// SPDX-License-Identifier: MIT
//
// Compression off the hot path. One compressor serves the whole server, on a core (a thread) of its own, which it
// keeps busy for as long as a text takes. Before it stands, on each core that asks, a desk that never makes anybody
// wait.
//
//   cache --jobs--> compression_desk --(bridge)--> compressor --(bridge, in the job)--> cache
//
// The same for the workers of the static farm, which have a desk of their own: their clients wait.
#pragma once

#include <cstddef>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/process.hpp"
#include "server/messages/compression.hpp"

namespace server {

/// Compresses. One for the whole server.
///
///   jobs   compression_job   from the desks of all cores, each with the end for its answer
///
/// Promise: every job is answered once, by an empty answer if need be, unless nobody can read the answer any more: then
/// what is still to be done of the job is not done.
/// Deadlock: a server to the desks; for each job a client of its asker, who must take answers whatever else it waits
/// for. Ends when the desks have.
csp::process compressor(csp::in<compression_job> jobs);

/// Takes jobs for the compressor, on the core that has them. The compressor's thread is busy for tenths of a second at
/// a time, and a bridge is synchronous: without a desk whoever has a job would wait as long.
///
///   jobs            compression_job   from this core
///   to_compressor   compression_job   in the order they came; at most `most_bytes` of them wait
///
/// Promise: always accepts `jobs`. A job for which there is no room is turned down at once; its asker may come again.
/// Deadlock: a pure server. For each job it forks a courier, which waits for the compressor or for the asker; the desk
/// itself waits for nobody. Ends when all writers have and the compressor has taken what waits.
csp::process compression_desk(std::size_t most_bytes, csp::in<compression_job> jobs,
                              csp::bridge_out<compression_job> to_compressor);

}  // namespace server
