// SPDX-License-Identifier: MIT
#include "server/front_end/front_end_farm.hpp"

#include <utility>

#include "http/request.hpp"
#include "server/front_end/for_stats.hpp"
#include "server/front_end/understand.hpp"

namespace server {
namespace {

/// The work of a front-end worker.
class front_end {
  public:
    using request = conn;

    front_end(csp::shared_out<exchange> to_cache, csp::shared_out<exchange> to_stats, csp::shared_out<exchange> to_cgi,
              csp::shared_out<conn> to_parking)
        : to_cache_(std::move(to_cache)),
          to_stats_(std::move(to_stats)),
          to_cgi_(std::move(to_cgi)),
          to_parking_(std::move(to_parking))
    {
    }

    void work(conn& c)
    {
        understood_ = understand(std::move(c), head_);
        if (is_for_stats(*understood_)) understood_->decided = statistics();
    }
    auto pass_on(conn& /*c*/)
    {
        const exchange_record& x = *understood_;
        return (x.is<statistics>()    ? to_stats_
                : x.is<program_run>() ? to_cgi_
                                      : to_cache_)
            .output(std::move(understood_));
    }
    auto give_up(conn& c)
    {
        if (understood_) c = understood_->carrier.take_connection();
        understood_.reset();
        c->now = connection::over();
        return to_parking_.output(std::move(c));
    }

  private:
    csp::shared_out<exchange> to_cache_;
    csp::shared_out<exchange> to_stats_;
    csp::shared_out<exchange> to_cgi_;
    csp::shared_out<conn> to_parking_;
    http::request_head head_;
    exchange understood_;
};

}  // namespace

csp::process front_end_farm(std::size_t spare, csp::shared_in<conn> requests, csp::shared_out<exchange> to_cache,
                            csp::shared_out<exchange> to_stats, csp::shared_out<exchange> to_cgi,
                            csp::shared_out<conn> to_parking)
{
    csp::forking workers;
    co_await keep_idle(spare, [&](const seat& s) {
        workers.start(worker(s, requests, front_end(to_cache, to_stats, to_cgi, to_parking)).named("front_end_worker"));
    });
}

}  // namespace server
