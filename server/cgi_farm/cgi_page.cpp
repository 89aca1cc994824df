// SPDX-License-Identifier: MIT
#include "server/cgi_farm/cgi_page.hpp"

#include <exception>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <fmt/core.h>

#include "csp/check.hpp"
#include "http/method.hpp"
#include "http/status.hpp"
#include "server/cgi_farm/find_program.hpp"
#include "server/cgi_farm/outcome.hpp"
#include "server/cgi_farm/send_answer.hpp"
#include "server/cgi_farm/start.hpp"
#include "server/cgi_farm/take_place.hpp"
#include "server/messages/log_lines.hpp"
#include "server/messages/program_places.hpp"
#include "server/messages/request_id.hpp"
#include "server/respond/decide.hpp"

namespace server {
namespace {

using done = std::expected<outcome, refused>;

// Never sent, but logged, as by nginx: neither the server nor the program failed.
constexpr http::status client_left{499};
constexpr http::error no_trace{http::status::method_not_allowed, "TRACE is not supported."};

csp::step<done> run(exchange_record& x, const cgi_rules& rules, page_tools& tools, cgi_links& to, found_program found)
{
    program_work w{.x = x, .rules = rules, .tools = tools, .to_log = to.to_log, .found = std::move(found)};
    if (auto failed = co_await start(w)) co_return std::unexpected(std::move(*failed));
    auto how = co_await send_answer(w);
    co_await end(w);
    co_return how;
}

/// Returns the place that take_place() has taken, whatever happens.
csp::step<done> run_in_place(exchange_record& x, const cgi_rules& rules, page_tools& tools, cgi_links& to,
                             found_program found)
{
    std::exception_ptr thrown;
    std::optional<done> how;
    std::string places = name_of_places(x);  // a redirect changes the acting route
    try {
        how = co_await run(x, rules, tools, to, std::move(found));
    } catch (...) {
        thrown = std::current_exception();
    }
    const program_end end = thrown ? program_end::failed : *how ? end_of(**how) : end_of(how->error());
    co_await to.to_desk.output(place_returned{.of = std::move(places), .how = end});
    if (thrown) std::rethrow_exception(thrown);
    co_return std::move(*how);
}

csp::step<done> run_program(exchange_record& x, page_tools& tools, cgi_links& to)
{
    const auto& rules = std::get<cgi_rules>(x.acting_route().then);
    if (x.asked.method == http::method::trace) co_return std::unexpected(refused{.why = no_trace});
    auto found = co_await find_program(x, rules);
    if (!found) co_return std::unexpected(refused{.why = found.error()});
    if (auto none = co_await take_place(x, rules, to.to_desk)) co_return std::unexpected(std::move(*none));
    co_return co_await run_in_place(x, rules, tools, to, std::move(*found));
}

/// Logs why, and has an error page sent, unless the client has left. Returns whether the exchange is over.
csp::step<bool> refuse(exchange_record& x, refused r, cgi_links& to)
{
    if (!r.cause.empty()) {
        co_await to.to_log.output(
            error_line("error", fmt::format("{}: {}", x.asked.path.view(), r.cause), to_string(x.carrier.id())));
    }
    if (r.counts_as == program_end::client_left) {
        x.sent.code = client_left;
        co_return true;  // its account stays incomplete
    }
    x.decided = error_response{.why = r.why, .with = std::move(r.with)};
    co_return false;
}

}  // namespace

csp::step<bool> answer_by_program(exchange_record& x, page_tools& tools, cgi_links& to)
{
    push_last_answer(x);
    const auto parsed = http::parse_head(x.head(), x.by->limits, tools.head);
    CSP_CHECK(parsed, "the front end has parsed this head");
    while (x.is<program_run>()) {
        auto how = co_await run_program(x, tools, to);
        if (!how) co_return co_await refuse(x, std::move(how.error()), to);
        if (*how != outcome::redirected) co_return true;
        decide_redirect(x);
    }
    co_return false;
}

}  // namespace server
