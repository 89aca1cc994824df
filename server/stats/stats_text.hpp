// SPDX-License-Identifier: MIT
//
// Formats the statistics as JSON, as Prometheus metrics and as an HTML page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/messages/figures.hpp"
#include "server/messages/program_places.hpp"

namespace server {

/// The state of the running network at one time.
struct picture {
    figures counted;
    std::vector<core_view> cores;
    programs_view programs;
};

[[nodiscard]] std::string as_json(const picture& p);
/// The Prometheus text format, version 0.0.4.
[[nodiscard]] std::string as_metrics(const picture& p);
/// The page that draws the network. It also has the current figures as tables, for browsers without JavaScript.
[[nodiscard]] std::string as_page(const picture& p);

/// The contents of server/stats/stats.html.
extern const std::string_view stats_page;

/// Writes bytes that are not printable ASCII as %XX, as in a URL, which is safe in every output format.
[[nodiscard]] std::string printable(std::string_view bytes);

}  // namespace server
