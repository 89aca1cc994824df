// SPDX-License-Identifier: MIT
//
// Reads the `cgi` of a route.
#pragma once

#include <optional>
#include <string_view>

#include "server/configuration/cgi_rules.hpp"
#include "server/configuration/toml_reader.hpp"

namespace server {

/// Reads the table. The paths in `into` are as written; `path` is empty if the file leaves the directory to the route.
[[nodiscard]] toml_reader::value_reader read_cgi(toml_reader& r, std::optional<cgi_rules>& into);

/// Complains if programs of this kind cannot answer the paths of their route. `at` is the table.
void check_cgi_path(toml_reader& r, const cgi_rules& rules, std::string_view route_path, const toml::node& at);

}  // namespace server
