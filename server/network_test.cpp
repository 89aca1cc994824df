// SPDX-License-Identifier: MIT
//
// The keep-alive loop, with more connections than idle workers, under many seeds: each connection comes round, and no
// process waits at the end. See docs/DEADLOCK.md.
#include "server/network.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "csp/alt.hpp"
#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/par.hpp"
#include "server/back_end/back_end.hpp"
#include "server/farm.hpp"
#include "server/front_end/front_end_farm.hpp"
#include "server/static_farm/compressor.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

constexpr unsigned connections = 12;
constexpr unsigned rounds = 5;

/// Stands for parking: sends each connection round so often, as if its next request had come at once.
csp::process carousel(std::vector<conn> waiting, csp::in<conn> returned, csp::out<conn> to_front_end)
{
    std::size_t under_way = 0;
    const frozen_policy by = waiting.front()->by;
    while (!waiting.empty() || under_way > 0) {
        if (!waiting.empty()) {
            conn c = std::move(waiting.back());
            waiting.pop_back();
            ++under_way;
            co_await to_front_end.output(std::move(c));
            continue;
        }
        auto back = co_await returned.input();
        if (!back) co_return;
        --under_way;
        if (!*back) continue;
        // The next request stands behind the one that was answered.
        conn c = std::move(*back);
        if (const auto length = http::head_scan().feed(c->input.text(), {}); length && *length) {
            c->now = connection::has_request{.head = **length};
            c->by = by;
            waiting.push_back(std::move(c));
        }
    }
}

/// Stands for a page worker, whose socket takes everything at once.
csp::process quick_worker(seat farm, csp::shared_in<exchange> requests, csp::shared_out<looked_up> to_cache,
                          csp::shared_out<exchange> to_back_end)
{
    while (auto request = co_await requests.input()) {
        co_await farm.reports.output(idle::less);
        exchange x = std::move(*request);
        if (!x->is<cached_page>() || !x->cached()->is_fresh) {
            co_await to_cache.output(
                {x->asked.path.text(), x->asked.path_hash, test::page_of("page"), csp::core::here().now()});
        }
        x->sent = {.code = http::status::ok, .content_bytes = 4, .complete = true};
        co_await to_back_end.output(std::move(x));
        co_await farm.reports.output(idle::more);
        if (co_await farm.orders.input() == order::leave) co_return;
    }
    co_await farm.reports.output(idle::over);
}

csp::process quick_farm(csp::shared_in<exchange> requests, csp::shared_out<looked_up> to_cache,
                        csp::shared_out<exchange> to_back_end)
{
    csp::forking workers;
    co_await keep_idle(2, [&](const seat& s) { workers.start(quick_worker(s, requests, to_cache, to_back_end)); });
}

csp::process adding_up(csp::buffered_in<tally> hits)
{
    tally sum;
    while (const auto more = co_await hits.input()) sum += *more;
    EXPECT_EQ(sum.exchanges, connections * rounds);
    EXPECT_EQ(sum.by_class[1], connections * rounds);
    EXPECT_EQ(sum.content_bytes, connections * rounds * 4);
    EXPECT_EQ(sum.incomplete, 0U);
}

csp::process counting_lines(csp::in<log_lines> lines)
{
    std::size_t count = 0;
    while (const auto more = co_await lines.input()) {
        count += static_cast<std::size_t>(std::ranges::count(more->text, '\n'));
    }
    EXPECT_EQ(count, connections * rounds);
}

csp::process loop(std::vector<conn> all)
{
    csp::chan<conn> front, returned;
    csp::chan<exchange> plain, pages, done;
    csp::chan<looked_up> found;
    csp::chan<log_lines> lines;
    csp::chan<access_log> formats;
    csp::buffered_bridge<tally> hits(csp::core::here(), 4);
    csp::bridge<compression_job> jobs(csp::core::here());
    csp::chan<cache_question> asked;
    csp::chan<cache_room> rooms;

    co_await csp::par(
        carousel(std::move(all), returned.rx(), front.tx()),
        front_end_farm(2, front.shared_rx(), plain.shared_tx(), plain.shared_tx(), plain.shared_tx(),
                       returned.shared_tx()),
        page_cache({.pages = 2}, plain.rx(), found.rx(), asked.rx(), rooms.rx(), jobs.tx(), pages.shared_tx(),
                   done.shared_tx()),
        compressor(jobs.rx()), quick_farm(pages.shared_rx(), found.shared_tx(), done.shared_tx()),
        back_end(access_log::combined, formats.rx(), done.rx(), returned.shared_tx(), lines.shared_tx(), hits.tx()),
        counting_lines(lines.rx()), adding_up(hits.rx()));
}

TEST(Network, EverybodyComesRoundTheKeepAliveLoop)
{
    csp::for_seeds(200, [](std::uint64_t seed) {
        test::engine_kernel kernel(seed);
        std::vector<conn> all;
        for (unsigned i = 0; i < connections; ++i) {
            std::string requests;
            for (unsigned k = 0; k < rounds; ++k) {
                requests += "GET /" + std::to_string(i % 3) + " HTTP/1.1\r\nHost: test\r\n\r\n";
            }
            all.push_back(kernel.connection_with(requests));
        }
        kernel.start(loop(std::move(all)));
        kernel.run();
        EXPECT_TRUE(kernel.all_ended()) << kernel.post_mortem();
        EXPECT_EQ(kernel.faulted(), 0U);
    });
}

}  // namespace
}  // namespace server
