// SPDX-License-Identifier: MIT
#include "server/stats/stats_farm.hpp"

#include <string>
#include <utility>

#include "csp/ask.hpp"
#include "server/respond/answering_craft.hpp"
#include "server/respond/respond.hpp"
#include "server/stats/stats_text.hpp"
#include "server/stats/witness.hpp"

namespace server {
namespace {

response text(http::status code, std::string_view media_type, std::string body)
{
    response r(code, {});
    r.fields.add("Content-Type", media_type).add("Content-Length", body.size());
    r.fields.add("Cache-Control", "no-store").add("X-Content-Type-Options", "nosniff");
    r.content.emplace_back(std::move(body));
    return r;
}

csp::step<picture> collect(stats_links& to)
{
    picture all;
    all.counted = (co_await csp::ask(to.to_stats, figures_question{})).value_or(figures());
    all.cores = co_await ask_all(to.to_witnesses);
    all.programs = (co_await csp::ask(to.to_cgi_desk, places_question{})).value_or(programs_view());
    co_return all;
}

csp::step<response> answer(const request& asked, stats_links& to)
{
    using enum http::status;
    const std::string_view path = asked.path.view();
    if (path == "/healthz") {
        const auto mine = (co_await csp::ask(to.to_parking, parking_question{})).value_or(parking_view());
        // A load balancer should stop sending requests while the server drains. Requests in progress are still
        // answered.
        if (mine.draining) co_return text(service_unavailable, "text/plain; charset=utf-8", "draining\n");
        co_return text(ok, "text/plain; charset=utf-8", "ok\n");
    }
    const picture now = co_await collect(to);
    if (path == "/stats.json") co_return text(ok, "application/json", as_json(now));
    if (path == "/metrics") co_return text(ok, "text/plain; version=0.0.4; charset=utf-8", as_metrics(now));
    response page = text(ok, "text/html; charset=utf-8", as_page(now));
    page.fields.add("Content-Security-Policy",
                    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
                    "img-src data:");
    co_return page;
}

/// The work of a stats worker.
class stats_craft : public answering_craft {
  public:
    stats_craft(stats_links to, csp::shared_out<exchange> to_back_end)
        : answering_craft(std::move(to_back_end)), to_(std::move(to))
    {
    }

    csp::step<void> work(exchange& x)
    {
        push_last_answer(*x);
        response r = co_await answer(x->asked, to_);
        if (r.code != http::status::ok) x->sent.why = http::error{r.code, ""};
        co_await respond(*x, std::move(r), x->by->patience, heads_);
    }

  private:
    stats_links to_;
};

}  // namespace

csp::process stats_farm(csp::shared_in<exchange> requests, stats_links to, csp::shared_out<exchange> to_back_end)
{
    csp::forking workers;
    co_await keep_idle(1, [&](const seat& s) {
        workers.start(worker(s, requests, stats_craft(to, to_back_end)).named("stats_worker"));
    });
}

}  // namespace server
