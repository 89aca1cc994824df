// SPDX-License-Identifier: MIT
//
// The whole network of the cache, connected as in network.cpp.
#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "csp/forking.hpp"
#include "csp/par.hpp"
#include "csp/timer.hpp"
#include "server/network.hpp"
#include "server/static_farm/compressor.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using csp::for_seeds;
using csp::notebook;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::engine_kernel;
using test::request_for;
using testing::HasSubstr;
using testing::IsEmpty;

/// Which channel an exchange left on, and in what state.
struct came_out {
    std::string path;
    bool answered = false;  // by a cache process
    bool kept = false;      // sent to a worker with its page
    bool fresh = false;
    bool asked_lately = false;
    std::size_t sent_bytes = 0;
    std::uint64_t version = 0;  // of the page sent
    csp::time_point at;
};
using diary = std::vector<came_out>;

/// The content that `path` has, in its `version`-th version.
std::string content_of(const std::string& path, std::uint64_t version)
{
    return "version " + std::to_string(version) + " of " + path;
}

csp::process front_end(std::vector<exchange> all, csp::shared_out<exchange> to_cache)
{
    for (exchange& x : all) {
        if (!co_await to_cache.output(std::move(x))) co_return;
    }
}

csp::process tells(looked_up look, csp::shared_out<looked_up> to_cache) { co_await to_cache.output(std::move(look)); }

constexpr seconds changed_at{2};

/// A stand-in for the static farm: always accepts requests, and reports each file that it looked up. Files have version
/// 1 until they change.
csp::process static_farm_of(csp::in<exchange> requests, csp::shared_out<looked_up> to_cache, notebook<diary> seen)
{
    csp::forking telling;
    while (auto request = co_await requests.input()) {
        const exchange_record& x = **request;
        const std::string path = x.asked.path.text();
        const csp::time_point now = csp::core::here().now();
        const cached_page cached = x.cached() ? *x.cached() : cached_page();
        const auto* const lookup = std::get_if<page_lookup>(&x.decided);
        seen->push_back({.path = path,
                         .kept = x.is<cached_page>(),
                         .fresh = cached.is_fresh,
                         .asked_lately = lookup && lookup->was_asked_for,
                         .sent_bytes = cached.sent_bytes,
                         .at = now});
        if (x.is<error_response>() || cached.is_fresh || path.starts_with("/none")) continue;
        const std::uint64_t version = now.time_since_epoch() < changed_at ? 1 : 2;
        const auto page = test::page_of(content_of(path, version), version);
        telling.start(tells({path, x.asked.path_hash, page, now}, to_cache));
    }
}

csp::process back_end_of(csp::in<exchange> answered, notebook<diary> seen, notebook<engine_kernel> kernel)
{
    while (auto x = co_await answered.input()) {
        const connection& c = *(*x)->carrier.http1()->connection;
        const std::string path = (*x)->asked.path.text();
        EXPECT_TRUE((*x)->sent.complete);
        const std::string sent = kernel->sent_to(c);
        EXPECT_THAT(sent, HasSubstr(" of " + path)) << "it was answered with another page";
        const std::uint64_t version = sent.contains("version 1 of ") ? 1 : 2;
        seen->push_back({.path = path, .answered = true, .version = version, .at = csp::core::here().now()});
    }
}

/// The cache, connected to these stand-ins.
csp::process network(cache_rules rules, csp::in<exchange> requests, notebook<diary> seen,
                     notebook<engine_kernel> kernel)
{
    csp::chan<exchange> pages, done;
    csp::chan<looked_up> found;
    csp::bridge<compression_job> jobs(csp::core::here());
    csp::chan<cache_question> asked;
    csp::chan<cache_room> rooms;
    co_await csp::par(page_cache(rules, std::move(requests), found.rx(), asked.rx(), rooms.rx(), jobs.tx(),
                                 pages.shared_tx(), done.shared_tx()),
                      compressor(jobs.rx()), static_farm_of(pages.rx(), found.shared_tx(), seen),
                      back_end_of(done.rx(), seen, kernel));
}

TEST(PageCache, EveryRequestComesOutOnceAndWithItsOwnPage)
{
    for_seeds(200, [](std::uint64_t seed) {
        engine_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain;
        k.start(network({.pages = 2}, plain.rx(), notebook(seen), notebook(k)));
        for (int who = 0; who < 4; ++who) {
            std::vector<exchange> all;
            for (int i = 0; i < 12; ++i) all.push_back(request_for(k, "/" + std::to_string((i * i + who) % 5)));
            k.start(front_end(std::move(all), plain.shared_tx()));
        }
        k.run();
        EXPECT_TRUE(k.all_ended()) << k.post_mortem();
        EXPECT_EQ(seen.size(), 48U);
        EXPECT_GT(std::ranges::count_if(seen, &came_out::answered), 0);
    });
}

TEST(PageCache, NotesWhichPathsThatAreNotKeptAreAskedForAgain)
{
    engine_kernel k(1);
    diary seen;
    csp::chan<exchange> plain;
    k.start(network({.pages = 2}, plain.rx(), notebook(seen), notebook(k)));
    std::vector<exchange> all;
    for (const char* path : {"/none-1", "/none-2", "/none-1", "/none-3", "/none-2"})
        all.push_back(request_for(k, path));
    k.start(front_end(std::move(all), plain.shared_tx()));
    k.run();
    std::vector<bool> again;
    for (const came_out& c : seen) again.push_back(c.asked_lately);
    EXPECT_EQ(again, (std::vector{false, false, true, false, true}));
}

csp::process at_intervals(std::vector<exchange> all, milliseconds interval, csp::shared_out<exchange> to_cache)
{
    for (exchange& x : all) {
        co_await to_cache.output(std::move(x));
        co_await csp::sleep(interval);
    }
}

/// The clients that received the first version when the second was more than a second old.
diary old_ones(const diary& seen)
{
    diary old;
    std::ranges::copy_if(seen, std::back_inserter(old), [](const came_out& o) {
        return o.answered && o.version == 1 && o.at.time_since_epoch() > changed_at + seconds(1);
    });
    return old;
}

TEST(PageCache, LooksAtTheFileOncePerPeriodAndSendsTheNewVersion)
{
    for_seeds(200, [](std::uint64_t seed) {
        engine_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain;
        k.start(network({.pages = 2}, plain.rx(), notebook(seen), notebook(k)));
        std::vector<exchange> all;
        for (int i = 0; i < 40; ++i) all.push_back(request_for(k, "/a"));
        k.start(at_intervals(std::move(all), milliseconds(100), plain.shared_tx()));
        k.run();
        EXPECT_TRUE(k.all_ended()) << k.post_mortem();
        // In four seconds: the first look-up, then one every 800 ms, which is the first request after three quarters of
        // a second.
        const auto looks = std::ranges::count_if(seen, [](const came_out& o) { return !o.answered; });
        EXPECT_EQ(looks, 5);
        EXPECT_FALSE(seen.front().answered || seen.front().kept);
        for (const came_out& o : seen) {
            if (!o.answered) EXPECT_FALSE(o.fresh);
        }
        EXPECT_THAT(old_ones(seen), IsEmpty());
        EXPECT_EQ(seen.back().version, 2U);
    });
}

csp::process in_two_crowds(std::vector<exchange> all, milliseconds between, csp::shared_out<exchange> to_cache)
{
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i == all.size() / 2) co_await csp::sleep(between);
        co_await to_cache.output(std::move(all[i]));
    }
}

TEST(PageCache, SendsNobodyAPageThatHasNotBeenLookedAtForLong)
{
    for_seeds(200, [](std::uint64_t seed) {
        engine_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain;
        k.start(network({.pages = 2}, plain.rx(), notebook(seen), notebook(k)));
        std::vector<exchange> all;
        for (int i = 0; i < 40; ++i) all.push_back(request_for(k, "/a"));
        k.start(in_two_crowds(std::move(all), seconds(10), plain.shared_tx()));
        k.run();
        EXPECT_TRUE(k.all_ended()) << k.post_mortem();
        EXPECT_EQ(seen.size(), 40U);
        EXPECT_THAT(old_ones(seen), IsEmpty());
    });
}

TEST(PageCache, ARequestForAnotherPageOfTheSameHashIsPassedOn)
{
    for_seeds(200, [](std::uint64_t seed) {
        engine_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain;
        k.start(network({.pages = 4}, plain.rx(), notebook(seen), notebook(k)));
        std::vector<exchange> all;
        for (int i = 0; i < 20; ++i) {
            all.push_back(request_for(k, i % 2 == 0 ? "/a" : "/b"));
            all.back()->asked.path_hash = 7;
        }
        k.start(at_intervals(std::move(all), milliseconds(10), plain.shared_tx()));
        k.run();
        EXPECT_TRUE(k.all_ended()) << k.post_mortem();
        EXPECT_EQ(seen.size(), 20U);
    });
}

TEST(PageCache, WhatACacheProcessCannotDoAtOnceGoesToAWorkerWithThePage)
{
    for_seeds(200, [](std::uint64_t seed) {
        engine_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain;
        k.start(network({.pages = 4}, plain.rx(), notebook(seen), notebook(k)));
        std::vector<exchange> all;
        for (int i = 0; i < 4; ++i) all.push_back(request_for(k, "/a"));
        all[1]->asked.method = http::method::head;
        all[2]->asked.is_conditional = true;
        all[3]->decided = error_response{{http::status::bad_request, "no"}};
        k.start(at_intervals(std::move(all), milliseconds(10), plain.shared_tx()));
        k.run();
        EXPECT_TRUE(k.all_ended()) << k.post_mortem();
        ASSERT_EQ(seen.size(), 4U);
        for (std::size_t i : {1U, 2U}) EXPECT_TRUE(seen[i].kept && seen[i].fresh && !seen[i].answered);
        EXPECT_FALSE(seen[3].kept) << "one that is refused is passed on as it is";
    });
}

TEST(PageCache, AClientThatDoesNotReadHoldsNobodyUp)
{
    for_seeds(50, [](std::uint64_t seed) {
        engine_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain;
        k.start(network({.pages = 4}, plain.rx(), notebook(seen), notebook(k)));
        std::vector<exchange> all;
        for (int i = 0; i < 5; ++i) all.push_back(request_for(k, "/a"));
        // The sockets of the second and the third client have room for a part of the page, or for nothing.
        const auto socket_of = [&](std::size_t i) { return all[i]->carrier.http1()->connection->socket.number(); };
        const std::string filling(1 << 20, 'x');
        EXPECT_GT(::send(socket_of(2), filling.data(), filling.size(), MSG_DONTWAIT), 0);
        while (::send(socket_of(2), filling.data(), 1, MSG_DONTWAIT) > 0) {
        }
        k.start(at_intervals(std::move(all), milliseconds(10), plain.shared_tx()));
        k.run();
        EXPECT_TRUE(k.all_ended()) << k.post_mortem();
        ASSERT_EQ(seen.size(), 5U);
        for (std::size_t i : {1U, 3U, 4U}) EXPECT_TRUE(seen[i].answered) << i;
        EXPECT_TRUE(seen[2].kept && seen[2].fresh && !seen[2].answered);
        EXPECT_EQ(seen[2].sent_bytes, 0U);
    });
}

csp::process tells_late(csp::shared_out<looked_up> to_cache)
{
    co_await csp::sleep(milliseconds(100));
    EXPECT_TRUE(co_await to_cache.output({"/late", 1, test::page_of("x"), csp::core::here().now()}))
        << "a worker can tell what it found until it ends";
}

TEST(PageCache, HearsTheWorkersOutWhenTheFrontEndEndsFirst)
{
    for_seeds(200, [](std::uint64_t seed) {
        engine_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain, pages, done;
        csp::chan<looked_up> found;
        csp::bridge<compression_job> jobs(k.on());
        csp::chan<cache_question> asked;
        csp::chan<cache_room> rooms;
        k.start(page_cache({.pages = 2}, plain.rx(), found.rx(), asked.rx(), rooms.rx(), jobs.tx(), pages.shared_tx(),
                           done.shared_tx()));
        k.start(compressor(jobs.rx()));
        k.start(static_farm_of(pages.rx(), found.shared_tx(), notebook(seen)));
        k.start(back_end_of(done.rx(), notebook(seen), notebook(k)));
        k.start(tells_late(found.shared_tx()));
        std::vector<exchange> all;
        for (int i = 0; i < 3; ++i) all.push_back(request_for(k, "/" + std::to_string(i)));
        k.start(front_end(std::move(all), plain.shared_tx()));
        k.run();
        EXPECT_TRUE(k.all_ended()) << k.post_mortem();
        EXPECT_EQ(seen.size(), 3U);
    });
}

csp::process ends_at_once(csp::in<exchange> requests) { co_await requests.input(); }

TEST(PageCache, EndsWhenTheStaticFarmEndsFirst)
{
    for_seeds(200, [](std::uint64_t seed) {
        engine_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain, pages, done;
        csp::chan<looked_up> found;
        csp::bridge<compression_job> jobs(k.on());
        csp::chan<cache_question> asked;
        csp::chan<cache_room> rooms;
        k.start(page_cache({.pages = 2}, plain.rx(), found.rx(), asked.rx(), rooms.rx(), jobs.tx(), pages.shared_tx(),
                           done.shared_tx()));
        k.start(compressor(jobs.rx()));
        k.start(ends_at_once(pages.rx()));
        k.start(back_end_of(done.rx(), notebook(seen), notebook(k)));
        {
            const auto closes = found.tx();
        }
        std::vector<exchange> all;
        for (int i = 0; i < 3; ++i) all.push_back(request_for(k, "/" + std::to_string(i)));
        k.start(front_end(std::move(all), plain.shared_tx()));
        k.run();
        EXPECT_TRUE(k.all_ended()) << k.post_mortem();
    });
}

}  // namespace
}  // namespace server
