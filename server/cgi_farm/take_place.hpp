// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "csp/bridge.hpp"
#include "csp/process.hpp"
#include "server/cgi_farm/outcome.hpp"
#include "server/configuration/cgi_rules.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/program_places.hpp"

namespace server {

/// The name by which cgi_desk knows the route of the request: its site and path.
[[nodiscard]] std::string name_of_places(const exchange_record& x);

/// Waits until the program may run: cgi_desk limits how many of a route run at once. Nullopt: it may, and a
/// place_returned is owed. Otherwise 503. If the client leaves meanwhile, the request for a place is withdrawn.
csp::step<std::optional<refused>> take_place(exchange_record& x, const cgi_rules& rules,
                                             csp::bridge_out<place_order>& to_desk);

}  // namespace server
