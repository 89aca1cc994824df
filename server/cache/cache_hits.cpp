// SPDX-License-Identifier: MIT
#include "server/cache/cache_hits.hpp"

#include <utility>
#include <vector>

#include "csp/alt.hpp"
#include "csp/process.hpp"

namespace server {

csp::process cache_hits(std::size_t slots, csp::in<slot_number> hits, csp::in<hits_question> questions,
                        csp::out<recent_hits> answers)
{
    std::vector<std::uint32_t> counts(slots);
    std::vector<slot_number> touched;
    touched.reserve(slots);
    for (;;) {
        const auto chosen = co_await csp::pri_alt(questions, csp::while_open(hits));

        if (chosen == hits) {
            const auto slot = co_await hits.input();
            if (++counts[*slot] == 1) touched.push_back(*slot);
        } else {
            if (!co_await questions.input()) break;
            recent_hits recent;
            if (csp::attempt([&] { recent.reserve(touched.size()); })) {
                for (const slot_number slot : touched) recent.push_back({slot, std::exchange(counts[slot], 0)});
                touched.clear();
            }
            if (!co_await answers.output(std::move(recent))) break;
        }
    }
    // cache_control has ended, but the cache processes must still be able to report hits.
    while (co_await hits.input()) {
    }
}

}  // namespace server
