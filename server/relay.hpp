// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include "csp/mobile.hpp"
#include "csp/process.hpp"

namespace server {

/// Passes messages on, and holds one of them meanwhile. So a writer does not wait for another core, or the messages of
/// many cores come together in one channel.
template <csp::mobile From, csp::mobile To>
csp::process relay(From from, To to)
{
    while (auto message = co_await from.input()) {
        if (!co_await to.output(std::move(*message))) co_return;
    }
}

}  // namespace server
