// SPDX-License-Identifier: MIT
#include "server/cache/cache_hash_request.hpp"

#include <utility>

#include "csp/alt.hpp"
#include "server/cache/kept_pages.hpp"

namespace server {

csp::process cache_hash_request(cache_rules rules, csp::in<exchange> requests, csp::in<looked_up> found,
                                csp::out<exchange> to_static)
{
    kept_pages pages(rules);
    for (;;) {
        const auto chosen = co_await csp::fair_alt(requests, found);

        if (chosen == requests) {
            auto request = co_await requests.input();
            if (!request) break;
            exchange x = std::move(*request);
            if (!x->refused) {
                auto kept = pages.find(x->asked.path.view(), csp::core::here().now());
                x->kept = std::move(kept.page);
                x->kept_is_fresh = kept.fresh;
            }
            if (!co_await to_static.output(std::move(x))) co_return;
        } else {
            auto look = co_await found.input();
            if (!look) co_return;
            pages.put(std::move(look->path), std::move(look->found), csp::core::here().now());
        }
    }

    // The front end has ended. The workers may still have something to tell until they have, too.
    to_static = {};
    while (co_await found.input()) {
    }
}

}  // namespace server
