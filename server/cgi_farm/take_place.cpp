// SPDX-License-Identifier: MIT
#include "server/cgi_farm/take_place.hpp"

#include <chrono>
#include <cstdint>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/timer.hpp"
#include "server/respond/respond.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds between_looks = 1s;  // at whether the client has left
constexpr std::uint64_t retry_after_seconds = 5;

refused no_place(const exchange_record& x)
{
    if (client_has_left(x)) return {.why = {}, .counts_as = program_end::client_left};
    refused r{
        .why = {http::status::service_unavailable, "Too many programs run at the moment. Try again later."},
        .cause = "too many programs of this route run, and too many requests wait",
    };
    r.with.add("Retry-After", retry_after_seconds);
    return r;
}

/// Withdraws the request if the client leaves. The answer comes in any case.
csp::step<place_answer> wait_for_answer(exchange_record& x, csp::in<place_answer>& answers,
                                        csp::bridge_out<place_order>& to_desk)
{
    for (bool waits = true; waits;) {
        const csp::timeout look = csp::after(between_looks);
        waits = co_await csp::pri_alt(answers, look) == look;
        if (waits && client_has_left(x)) {
            co_await to_desk.output(place_withdrawn{.of = name_of_places(x), .by = x.carrier.id()});
            waits = false;
        }
    }
    co_return (co_await answers.input()).value_or(place_answer::too_many);
}

}  // namespace

std::string name_of_places(const exchange_record& x)
{
    return fmt::format("{} {}", x.of_site().name, x.acting_route().path);
}

csp::step<std::optional<refused>> take_place(exchange_record& x, const cgi_rules& rules,
                                             csp::bridge_out<place_order>& to_desk)
{
    csp::bridge<place_answer> answer(csp::core::here());
    csp::in<place_answer> answers = answer.rx();
    place_request asks{.of = name_of_places(x),
                       .running = rules.running,
                       .waiting = rules.waiting,
                       .wait = rules.wait,
                       .by = x.carrier.id(),
                       .answer = answer.tx()};
    if (!co_await to_desk.output(std::move(asks))) co_return no_place(x);
    if (co_await wait_for_answer(x, answers, to_desk) != place_answer::granted) co_return no_place(x);
    co_return std::nullopt;
}

}  // namespace server
