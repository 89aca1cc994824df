// SPDX-License-Identifier: MIT
#include "server/cache/cache_control.hpp"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "csp/alt.hpp"
#include "csp/process.hpp"

namespace server {
namespace {

csp::step<std::optional<recent_hits>> ask_for_hits(csp::out<hits_question>& to_hits, csp::in<recent_hits>& hits)
{
    co_await to_hits.output({});
    co_return co_await hits.input();
}

csp::step<void> clear(slot_number slots, csp::out<change>& to_cache)
{
    for (slot_number slot = 0; slot < slots; ++slot) {
        co_await to_cache.output({.slot = slot, .path_hash = std::nullopt, .to = std::unique_ptr<assignment>()});
    }
}

}  // namespace

csp::process cache_control(cache_rules rules, csp::in<looked_up> found, csp::in<compressed> texts,
                           csp::in<cache_question> questions, csp::in<cache_room> rooms,
                           csp::out<hits_question> to_hits, csp::in<recent_hits> hits, csp::out<change> to_cache)
{
    divided_contents contents(rules);
    for (;;) {
        const auto chosen =
            co_await csp::fair_alt(found, csp::while_open(texts), csp::while_open(questions), csp::while_open(rooms));

        std::vector<change> changes;
        bool is_sound = true;
        if (chosen == found) {
            auto look = co_await found.input();
            if (!look) co_return;
            const auto recent = co_await ask_for_hits(to_hits, hits);
            is_sound = csp::attempt([&] {
                if (recent) contents.count(*recent, look->when);
                changes = contents.decide(std::move(*look));
            });
        } else if (chosen == questions) {
            constexpr std::size_t names = 20;
            auto question = co_await questions.input();
            if (const auto recent = co_await ask_for_hits(to_hits, hits))
                contents.count(*recent, csp::core::here().now());
            cache_view view;
            csp::attempt([&] { view = contents.view(names); });
            co_await question->answer.output(std::move(view));
        } else if (chosen == rooms) {
            const auto room = co_await rooms.input();
            is_sound = csp::attempt([&] { changes = contents.decide(*room); });
        } else {
            auto text = co_await texts.input();
            is_sound = csp::attempt([&] {
                if (auto c = contents.decide(std::move(*text))) changes.push_back(std::move(*c));
            });
        }

        for (change& c : changes) co_await to_cache.output(std::move(c));
        if (is_sound) continue;
        // The decision was left half made, so the contents may no longer match what the cache processes keep. Clear the
        // cache; the pages will be looked up again.
        contents.forget_all();
        co_await clear(rules.cache_processes(), to_cache);
    }
}

}  // namespace server
