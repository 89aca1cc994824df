// SPDX-License-Identifier: MIT
//
// The statistics in the forms that they are asked for in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/observers/figures.hpp"

namespace server {

/// The running network at one moment.
struct picture {
    figures counted;
    std::vector<core_view> cores;
};

[[nodiscard]] std::string as_json(const picture& p);
/// In Prometheus' text format, version 0.0.4.
[[nodiscard]] std::string as_metrics(const picture& p);
/// The page that draws the network, with the figures of this moment as a table for who runs no scripts.
[[nodiscard]] std::string as_page(const picture& p);

/// server/observers/stats.html, as it is embedded.
extern const std::string_view stats_page;

/// Bytes that are not printable ASCII as %XX: as they stand in a URL, and harmless everywhere.
[[nodiscard]] std::string printable(std::string_view bytes);

}  // namespace server
