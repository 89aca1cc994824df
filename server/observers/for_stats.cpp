// SPDX-License-Identifier: MIT
#include "server/observers/for_stats.hpp"

#include <string_view>
#include <variant>

namespace server {
namespace {

bool is_loopback(std::string_view peer)
{
    return peer.starts_with("127.") || peer == "::1" || peer.starts_with("::ffff:127.");
}

}  // namespace

bool is_for_stats(const exchange_record& x)
{
    const std::string_view path = x.asked.path.view();
    // Nearly every request is told apart by its length alone.
    if (path.size() != 8 && path.size() != 11) return false;
    if (path != "/healthz" && path != "/metrics" && path != "/stats.json" && path != "/stats.html") return false;
    if (x.refused || x.asked.method == http::method::options) return false;
    const stats_rules rules = x.by->stats;
    if (rules.allow == stats_rules::who::all) return true;
    const auto* const http1 = std::get_if<http1_carrier>(&x.carrier);
    return rules.allow == stats_rules::who::loopback && http1 != nullptr && is_loopback(http1->connection->peer);
}

}  // namespace server
