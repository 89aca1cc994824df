// SPDX-License-Identifier: MIT
#include "server/observers/stats.hpp"

#include <fmt/core.h>

namespace server {

tally& tally::operator+=(const tally& more)
{
    exchanges += more.exchanges;
    content_bytes += more.content_bytes;
    incomplete += more.incomplete;
    limited_connections += more.limited_connections;
    limited_requests += more.limited_requests;
    for (std::size_t i = 0; i < by_class.size(); ++i) by_class[i] += more.by_class[i];
    return *this;
}

std::string to_string(const tally& t)
{
    return fmt::format("{} requests answered ({} 2xx, {} 3xx, {} 4xx, {} 5xx), {} bytes of content sent, {} cut short",
                       t.exchanges, t.by_class[1], t.by_class[2], t.by_class[3], t.by_class[4], t.content_bytes,
                       t.incomplete);
}

csp::process stats(csp::in<tally> told, csp::out<tally> totals)
{
    tally sum;
    while (const auto more = co_await told.input()) sum += *more;
    co_await totals.output(sum);
}

}  // namespace server
