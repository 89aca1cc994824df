// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"

namespace server {

/// What a core's back end has seen since it last told; they add up.
struct tally {
    std::uint64_t exchanges = 0;
    std::uint64_t content_bytes = 0;          // sent
    std::uint64_t incomplete = 0;             // responses that did not get through
    std::array<std::uint64_t, 5> by_class{};  // 1xx to 5xx
    std::uint64_t limited_connections = 0;    // turned away: their address has too many
    std::uint64_t limited_requests = 0;       // answered with 429: their address asks too often

    tally& operator+=(const tally& more);
};
static_assert(csp::mobile<tally>);

[[nodiscard]] std::string to_string(const tally& t);

/// Adds up what all cores tell. One for the whole server, reached over a bridge.
///
///   told     tally   from every core's back end, some times a second while there is something to tell
///   totals   tally   to whoever asks for the sum, at the end: the supervisor
///
/// Deadlock: a pure server to the back ends; outputs only when they all have ended.
csp::process stats(csp::in<tally> told, csp::out<tally> totals);

}  // namespace server
