// SPDX-License-Identifier: MIT
#include "server/front_end/front_end_farm.hpp"

#include <memory>
#include <utility>

#include "http/request.hpp"
#include "server/front_end/understand.hpp"
#include "server/observers/for_stats.hpp"

namespace server {

csp::process front_end_worker(seat farm, csp::shared_in<conn> requests, csp::shared_out<exchange> to_cache,
                              csp::shared_out<exchange> to_stats)
{
    http::request_head head;
    while (auto request = co_await requests.input()) {
        co_await farm.reports.output(idle::less);

        // Everything that is not a page will branch off here: CGI scripts and OGI modules to farms of their own.
        exchange x = understand(std::move(*request), head);
        if (is_for_stats(*x)) x->went_to = branch::statistics;
        if (!co_await (x->went_to == branch::statistics ? to_stats : to_cache).output(std::move(x))) break;

        co_await farm.reports.output(idle::more);
        if (co_await farm.orders.input() == order::leave) co_return;
    }
    co_await farm.reports.output(idle::over);
}

csp::process front_end_farm(std::size_t spare, csp::shared_in<conn> requests, csp::shared_out<exchange> to_cache,
                            csp::shared_out<exchange> to_stats)
{
    csp::forking workers;
    co_await keep_idle(spare, [&](const seat& s) { workers.start(front_end_worker(s, requests, to_cache, to_stats)); });
}

}  // namespace server
