// SPDX-License-Identifier: MIT
#include "server/cache/cache_hash_request.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "csp/forking.hpp"
#include "csp/timer.hpp"
#include "server/test_support.hpp"

namespace server {
namespace {

using csp::for_seeds;
using csp::notebook;
using csp::test_kernel;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

/// What a request was like when it came out.
struct handed {
    std::string from;
    int number = 0;
    std::string path;
    bool kept = false;
    bool fresh = false;
    bool refused = false;
};
using diary = std::vector<handed>;

exchange request_from(char who, int number, std::string_view path)
{
    auto x = std::make_unique<exchange_record>(http1_carrier{});
    x->asked.path = test::path(path);
    x->asked.own_head = who + std::to_string(number);
    return x;
}

csp::process front_end(char who, int how_many, csp::shared_out<exchange> to_cache)
{
    for (int i = 0; i < how_many; ++i) {
        exchange x = request_from(who, i, "/" + std::to_string(i % 3));
        if (i % 5 == 4) x->refused = http::error{http::status::bad_request, "no"};
        if (!co_await to_cache.output(std::move(x))) co_return;
    }
}

csp::process tells(std::string path, csp::shared_out<looked_up> to_cache)
{
    co_await to_cache.output({.path = path, .found = test::page_of("page of " + path)});
}

/// Stands for the whole static farm: always takes, and has somebody tell the cache of a file that was looked at.
csp::process farm_of_one(int how_many, csp::in<exchange> requests, csp::shared_out<looked_up> to_cache,
                         notebook<diary> seen)
{
    csp::forking telling;
    while (how_many-- > 0) {
        auto request = co_await requests.input();
        if (!request) break;
        exchange_record& x = **request;
        seen->push_back({.from = x.asked.own_head.substr(0, 1),
                         .number = std::stoi(x.asked.own_head.substr(1)),
                         .path = x.asked.path.text(),
                         .kept = static_cast<bool>(x.kept),
                         .fresh = x.kept_is_fresh,
                         .refused = x.refused.has_value()});
        if (x.kept) EXPECT_EQ(x.kept->content, "page of " + x.asked.path.text());
        if (!x.refused && !x.kept_is_fresh) telling.start(tells(x.asked.path.text(), to_cache));
    }
}

constexpr int all_of_them = 1'000'000;

TEST(CacheHashRequest, KeepsTheOrderOfEachFrontEnd)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain, pages;
        csp::chan<looked_up> found;
        k.start(cache_hash_request({}, plain.rx(), found.rx(), pages.tx()));
        k.start(farm_of_one(all_of_them, pages.rx(), found.shared_tx(), notebook(seen)));
        for (const char who : {'a', 'b', 'c'}) k.start(front_end(who, 10, plain.shared_tx()));
        EXPECT_THAT(k.run_until_quiescent(), IsEmpty());
        EXPECT_EQ(seen.size(), 30U);
        std::map<std::string, int> next;
        for (const handed& h : seen) {
            EXPECT_EQ(h.number, next[h.from]++);
            EXPECT_EQ(h.refused, h.number % 5 == 4);
            if (h.refused) EXPECT_FALSE(h.kept || h.fresh) << "a refused one is handed on as it is";
            EXPECT_EQ(h.kept, h.fresh) << "no time has passed: what is kept is fresh";
        }
    });
}

csp::process one_after_the_other(csp::shared_out<exchange> to_cache)
{
    const auto send = [&](int number) { return to_cache.output(request_from('a', number, "/p")); };
    co_await send(0);                       // nothing is known
    co_await csp::sleep(milliseconds(10));  // the look is reported
    co_await send(1);
    co_await csp::sleep(milliseconds(800));  // due for a look
    co_await send(2);
    co_await csp::sleep(milliseconds(10));
    co_await send(3);
    exchange refused = request_from('a', 4, "/p");
    refused->refused = http::error{http::status::forbidden, "no"};
    co_await to_cache.output(std::move(refused));
}

TEST(CacheHashRequest, HandsPagesOut)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain, pages;
        csp::chan<looked_up> found;
        k.start(cache_hash_request({}, plain.rx(), found.rx(), pages.tx()));
        k.start(farm_of_one(all_of_them, pages.rx(), found.shared_tx(), notebook(seen)));
        k.start(one_after_the_other(plain.shared_tx()));
        EXPECT_THAT(k.run(), IsEmpty());
        std::vector<std::string> got;
        for (const handed& h : seen) got.push_back(std::string(h.kept ? "kept" : "none") + (h.fresh ? " fresh" : ""));
        EXPECT_THAT(got, ElementsAre("none", "kept fresh", "kept", "kept fresh", "none"));
    });
}

csp::process gone_tells(csp::out<exchange> to_cache, csp::out<looked_up> to_found)
{
    co_await to_found.output({.path = "/p", .found = test::page_of("page of /p")});
    co_await to_cache.output(request_from('a', 0, "/p"));
    co_await to_found.output({.path = "/p", .found = frozen_page()});
    co_await to_cache.output(request_from('a', 1, "/p"));
}

csp::process takes(csp::in<exchange> requests, notebook<std::vector<bool>> had_page)
{
    while (auto request = co_await requests.input()) had_page->push_back(static_cast<bool>((*request)->kept));
}

TEST(CacheHashRequest, ForgetsAPageThatIsGone)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        std::vector<bool> had_page;
        csp::chan<exchange> plain, pages;
        csp::chan<looked_up> found;
        k.start(cache_hash_request({}, plain.rx(), found.rx(), pages.tx()));
        k.start(takes(pages.rx(), notebook(had_page)));
        k.start(gone_tells(plain.tx(), found.tx()));
        EXPECT_THAT(k.run_until_quiescent(), IsEmpty());
        EXPECT_THAT(had_page, ElementsAre(true, false));
    });
}

TEST(CacheHashRequest, EndsWhenTheStaticFarmEndsFirst)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain, pages;
        csp::chan<looked_up> found;
        k.start(cache_hash_request({}, plain.rx(), found.rx(), pages.tx()));
        k.start(farm_of_one(4, pages.rx(), found.shared_tx(), notebook(seen)));
        for (const char who : {'a', 'b'}) k.start(front_end(who, 10, plain.shared_tx()));
        EXPECT_THAT(k.run_until_quiescent(), IsEmpty());
        EXPECT_EQ(seen.size(), 4U);
    });
}

csp::process tells_late(csp::shared_out<looked_up> to_cache)
{
    co_await csp::sleep(milliseconds(100));
    EXPECT_TRUE(co_await to_cache.output({.path = "/late", .found = test::page_of("x")}))
        << "a worker can tell what it found until it ends";
}

TEST(CacheHashRequest, HearsTheWorkersOutWhenTheFrontEndEndsFirst)
{
    for_seeds(200, [](std::uint64_t seed) {
        test_kernel k(seed);
        diary seen;
        csp::chan<exchange> plain, pages;
        csp::chan<looked_up> found;
        k.start(cache_hash_request({}, plain.rx(), found.rx(), pages.tx()));
        k.start(farm_of_one(all_of_them, pages.rx(), found.shared_tx(), notebook(seen)));
        k.start(tells_late(found.shared_tx()));
        k.start(front_end('a', 3, plain.shared_tx()));
        EXPECT_EQ(k.run_until_quiescent().size(), 2U) << "the cache, and the worker that is late";
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(seen.size(), 3U);
    });
}

}  // namespace
}  // namespace server
