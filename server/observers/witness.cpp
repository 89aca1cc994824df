// SPDX-License-Identifier: MIT
#include "server/observers/witness.hpp"

#include <utility>

namespace server {

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

}  // namespace server
