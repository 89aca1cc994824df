// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "csp/mobile.hpp"

namespace server {

/// Told to every core's parking and acceptor when the server is to stop: end what is under way, begin nothing. Gently:
/// who has a connection may ask once more on it, and is told that this was the last time.
struct stop {
    enum class manner : std::uint8_t { gently, now } how = manner::now;
};
static_assert(csp::mobile<stop>);

}  // namespace server
