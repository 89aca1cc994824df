// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "csp/bridge.hpp"
#include "server/settings.hpp"

namespace server {

/// Holds the configuration and gives each core its copy (paper, section 2.6).
///
///   to_cores   settings   one for each core, once at the start
csp::process config(settings s, std::vector<csp::bridge_out<settings>> to_cores);

}  // namespace server
