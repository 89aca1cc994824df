// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "server/settings.hpp"

namespace server {

/// `occwserv explain URL`: tells what a GET for it would meet: the site, the route, the file, the headers, and under
/// what the cache would have the page. It is found out by the functions that answer requests, so it is what they would
/// do. Yields the exit code.
[[nodiscard]] int explain(const std::string& url, const settings& s);

}  // namespace server
