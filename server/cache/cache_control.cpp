// SPDX-License-Identifier: MIT
#include "server/cache/cache_control.hpp"

#include <utility>

#include "csp/alt.hpp"

namespace server {

csp::process cache_control(cache_rules rules, csp::in<looked_up> found, csp::in<compressed> texts,
                           csp::in<cache_question> questions, csp::in<cache_room> rooms,
                           csp::out<hits_question> to_hits, csp::in<recent_hits> hits, csp::out<change> to_cache)
{
    divided_contents contents(rules);
    bool more_texts = true;
    bool more_questions = true;
    bool more_rooms = true;
    for (;;) {
        const auto chosen = co_await csp::fair_alt(found, csp::when(more_texts, texts),
                                                   csp::when(more_questions, questions), csp::when(more_rooms, rooms));

        if (chosen == found) {
            auto look = co_await found.input();
            if (!look) co_return;
            co_await to_hits.output({});
            if (const auto recent = co_await hits.input()) contents.count(*recent, look->when);
            for (change& c : contents.decide(std::move(*look))) co_await to_cache.output(std::move(c));
        } else if (chosen == questions) {
            constexpr std::size_t names = 20;
            auto question = co_await questions.input();
            more_questions = question.has_value();
            if (!question) continue;
            co_await to_hits.output({});
            if (const auto recent = co_await hits.input()) contents.count(*recent, csp::core::here().now());
            co_await question->answer.output(contents.view(names));
        } else if (chosen == rooms) {
            const auto room = co_await rooms.input();
            more_rooms = room.has_value();
            if (!room) continue;
            for (change& c : contents.decide(*room)) co_await to_cache.output(std::move(c));
        } else {
            auto text = co_await texts.input();
            more_texts = text.has_value();
            if (!text) continue;
            if (auto c = contents.decide(std::move(*text))) co_await to_cache.output(std::move(*c));
        }
    }
}

}  // namespace server
