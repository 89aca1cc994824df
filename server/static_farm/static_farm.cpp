// SPDX-License-Identifier: MIT
#include "server/static_farm/static_farm.hpp"

#include <exception>
#include <utility>

namespace server {
namespace {

/// To OPTIONS every page gives the same answer (RFC 9110, section 9.3.7).
response options()
{
    response r{.code = http::status::no_content, .fields = {}, .body = {}};
    r.fields.add("Allow", "GET, HEAD, OPTIONS");
    return r;
}

csp::step<void> answer(const page_rules& rules, exchange_record& x, csp::shared_out<looked_up>& to_cache,
                       http1_pen& pen)
{
    if (!x.refused) {
        if (x.asked.method == http::method::options) {
            co_await respond(x, options(), rules.limits, pen);
            co_return;
        }
        if (x.kept_is_fresh) {
            co_await respond(x, x.kept, rules.limits, pen);
            co_return;
        }
        auto found = co_await get_page(rules, x.asked, x.kept);
        auto* const page = found ? std::get_if<frozen_page>(&*found) : nullptr;
        if (page != nullptr || x.kept) {
            co_await to_cache.output({.path = x.asked.path.text(), .found = page != nullptr ? *page : frozen_page()});
        }
        if (page != nullptr) {
            co_await respond(x, std::move(*page), rules.limits, pen);
        } else if (found) {
            co_await respond(x, std::get<response>(std::move(*found)), rules.limits, pen);
        } else {
            x.refused = found.error();
        }
    }
    if (x.refused) co_await respond(x, co_await error_page(rules.root, *x.refused), rules.limits, pen);
}

}  // namespace

csp::process page_worker(csp::frozen<page_rules> rules, seat farm, csp::shared_in<exchange> requests,
                         csp::shared_out<looked_up> to_cache, csp::shared_out<exchange> to_back_end)
{
    http1_pen pen;
    while (auto request = co_await requests.input()) {
        co_await farm.reports.output(idle::less);

        exchange x = std::move(*request);
        try {
            co_await answer(*rules, *x, to_cache, pen);
        } catch (const std::exception& fault) {
            // Costs this exchange, whose connection closes, and nothing else; so it must go on to the back end.
            x->sent.complete = false;
            csp::core& here = csp::core::here();
            here.report_fault(*here.running(), fault.what());
        }
        co_await to_back_end.output(std::move(x));

        co_await farm.reports.output(idle::more);
        if (co_await farm.orders.input() == order::leave) co_return;
    }
    co_await farm.reports.output(idle::over);
}

csp::process static_farm(std::size_t spare, csp::frozen<page_rules> rules, csp::shared_in<exchange> requests,
                         csp::shared_out<looked_up> to_cache, csp::shared_out<exchange> to_back_end)
{
    csp::forking workers;
    co_await keep_idle(spare,
                       [&](const seat& s) { workers.start(page_worker(rules, s, requests, to_cache, to_back_end)); });
}

}  // namespace server
