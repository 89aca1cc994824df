// SPDX-License-Identifier: MIT
#include "server/cgi_farm/cgi_farm.hpp"

#include <utility>

#include "server/cgi_farm/cgi_page.hpp"

namespace server {
namespace {

/// The work of a cgi_page.
class program_runner {
  public:
    using request = exchange;

    program_runner(cgi_links to, csp::shared_out<exchange> to_back_end)
        : to_(std::move(to)), to_back_end_(std::move(to_back_end))
    {
    }

    csp::step<void> work(exchange& x) { is_answered_ = co_await answer_by_program(*x, tools_, to_); }
    auto pass_on(exchange& x) { return (is_answered_ ? to_back_end_ : to_.to_cache).output(std::move(x)); }
    auto give_up(exchange& x)
    {
        x->sent.complete = false;
        return to_back_end_.output(std::move(x));
    }

  private:
    cgi_links to_;
    csp::shared_out<exchange> to_back_end_;
    page_tools tools_;
    bool is_answered_ = false;
};

}  // namespace

csp::process cgi_farm(std::size_t spare, csp::shared_in<exchange> requests, cgi_links to,
                      csp::shared_out<exchange> to_back_end)
{
    csp::forking workers;
    co_await keep_idle(spare, [&](const seat& s) {
        workers.start(worker(s, requests, program_runner(to, to_back_end)).named("cgi_page"));
    });
}

}  // namespace server
