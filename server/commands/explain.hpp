// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "server/configuration/settings.hpp"

namespace server {

/// `occwserv explain URL`: prints how the server would answer a GET request for this address: site, route, file,
/// headers, and the key of the page in the cache. It calls the functions that answer requests, so it cannot differ from
/// them. Returns the exit code.
[[nodiscard]] int explain(const std::string& url, const settings& s);

}  // namespace server
