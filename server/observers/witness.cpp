// SPDX-License-Identifier: MIT
#include "server/observers/witness.hpp"

#include <utility>

namespace server {

csp::step<std::vector<core_view>> ask_all(std::vector<csp::bridge_out<core_question>>& witnesses)
{
    std::vector<core_view> all;
    all.reserve(witnesses.size());
    for (auto& witness : witnesses) all.push_back(co_await ask_afar<core_view, core_question>(witness));
    co_return all;
}

parking_view all_connections(const std::vector<core_view>& cores)
{
    parking_view sum;
    for (const core_view& c : cores) {
        sum.accepted += c.connections.accepted;
        sum.requests += c.connections.requests;
        sum.waits_for_room += c.connections.waits_for_room;
        sum.yielded += c.connections.yielded;
        sum.parked += c.connections.parked;
        sum.under_way += c.connections.under_way;
        sum.most += c.connections.most;
        sum.draining |= c.connections.draining;
    }
    return sum;
}

csp::process witness(csp::in<core_question> questions, csp::shared_out<parking_question> to_parking,
                     csp::out<cache_question> to_cache)
{
    while (auto question = co_await questions.input()) {
        core_view view;
        view.core = csp::core::here().index();
        view.connections = co_await ask_here<parking_view, parking_question>(to_parking);
        view.cache = co_await ask_here<cache_view, cache_question>(to_cache);
        view.processes = csp::kinds(csp::core::here());
        co_await question->answer.output(std::move(view));
    }
}

csp::process lone_witness(csp::in<core_question> questions)
{
    while (auto question = co_await questions.input()) {
        const csp::core& here = csp::core::here();
        co_await question->answer.output({here.index(), {}, {}, csp::kinds(here)});
    }
}

}  // namespace server
