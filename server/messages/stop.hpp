// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "csp/mobile.hpp"

namespace server {

/// Sent to the acceptors of every core, and by them to parking, when the server is to stop: end what is under way,
/// begin nothing new. Gently: each connection may send one more request, and the response says that it was the last.
struct stop {
    enum class manner : std::uint8_t { gently, now } how = manner::now;
};
static_assert(csp::mobile<stop>);

}  // namespace server
