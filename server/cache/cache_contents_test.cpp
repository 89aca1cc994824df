// SPDX-License-Identifier: MIT
#include "server/cache/cache_contents.hpp"

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "server/testing/test_support.hpp"

namespace server {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

/// The contents, and what the cache processes were told to keep.
class followed {
  public:
    explicit followed(cache_rules rules) : rules_(rules), contents_(rules.pages, 0, rules.memory, rules.ageing) {}

    /// A worker looked up this page; none: it no longer exists.
    void finds(const std::string& path, std::optional<std::size_t> bytes = 100)
    {
        looked_up look{.path = path,
                       .path_hash = std::hash<std::string>()(path),
                       .found = bytes ? test::page_of(std::string(*bytes, 'x'), *bytes) : frozen_page(),
                       .when = now_};
        follow(contents_.decide(std::move(look)));
    }
    void has(cache_room room)
    {
        rules_.memory = room.bytes;
        follow(contents_.decide(room));
    }
    void is_hit(const std::string& path, std::uint32_t times)
    {
        for (const auto& [slot, kept] : kept_) {
            if (kept == path) contents_.count({{slot, times}}, now_);
        }
    }
    void time_passes(seconds s)
    {
        now_ += s;
        contents_.count({}, now_);
    }
    [[nodiscard]] std::vector<std::string> kept() const
    {
        std::vector<std::string> paths;
        for (const auto& [slot, path] : kept_) paths.push_back(path);
        std::ranges::sort(paths);
        return paths;
    }
    [[nodiscard]] bool keeps(const std::string& path) const { return std::ranges::count(kept(), path) == 1; }
    [[nodiscard]] cache_contents::figures now() const { return contents_.now(); }

  private:
    void follow(std::vector<change> changes)
    {
        for (const change& c : changes) {
            const assignment& to = *std::get<std::unique_ptr<assignment>>(c.to);
            EXPECT_EQ(c.path_hash.has_value(), static_cast<bool>(to.page));
            if (to.page) {
                EXPECT_EQ(kept_.count(c.slot), kept_.count(c.slot) != 0 && kept_[c.slot] == to.path ? 1U : 0U)
                    << "a slot is released before another page comes";
                kept_[c.slot] = to.path;
            } else {
                EXPECT_EQ(kept_.erase(c.slot), 1U) << "only a process that keeps something is told to stop";
            }
        }
        EXPECT_EQ(contents_.now().kept, kept_.size());
        EXPECT_LE(kept_.size(), rules_.pages);
        EXPECT_LE(contents_.now().competing, rules_.pages);
        EXPECT_LE(contents_.now().bytes, rules_.memory);
    }

    cache_rules rules_;
    cache_contents contents_;
    std::map<slot_number, std::string> kept_;
    csp::time_point now_ = csp::time_point(seconds(1000));
};

TEST(CacheContents, KeepsPagesWhileThereIsRoom)
{
    followed cache({.pages = 3});
    cache.finds("/a");
    cache.finds("/b");
    cache.finds("/c");
    EXPECT_THAT(cache.kept(), ElementsAre("/a", "/b", "/c"));
}

TEST(CacheContents, APageEntersWhenAnotherWasAskedForLess)
{
    followed cache({.pages = 3});
    for (const char* path : {"/a", "/b", "/c"}) cache.finds(path);
    cache.is_hit("/a", 1);
    cache.is_hit("/c", 1);
    cache.finds("/d");
    EXPECT_THAT(cache.kept(), ElementsAre("/a", "/b", "/c")) << "as often is not more often";
    cache.finds("/d");
    EXPECT_THAT(cache.kept(), ElementsAre("/a", "/c", "/d"));
    cache.finds("/b");
    EXPECT_FALSE(cache.keeps("/b"));
    cache.finds("/b");
    EXPECT_TRUE(cache.keeps("/b")) << "a displaced page competes again, with its count";
}

TEST(CacheContents, ScannersDoNotDisplaceWhatIsAskedFor)
{
    followed cache({.pages = 10});
    for (int i = 0; i < 10; ++i) cache.finds("/hot" + std::to_string(i));
    for (int i = 0; i < 10; ++i) cache.is_hit("/hot" + std::to_string(i), 2);
    for (int i = 0; i < 10'000; ++i) cache.finds("/" + std::to_string(i));
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(cache.keeps("/hot" + std::to_string(i)));
    EXPECT_EQ(cache.now().competing, 10U);
}

TEST(CacheContents, NobodyLeavesThroughAgeAlone)
{
    followed cache({.pages = 2});
    cache.finds("/a");
    cache.finds("/b");
    cache.is_hit("/a", 100);
    cache.time_passes(seconds(3600));
    cache.finds("/c");
    EXPECT_THAT(cache.kept(), ElementsAre("/a", "/b"));
}

TEST(CacheContents, CountsAge)
{
    followed cache({.pages = 8, .ageing = seconds(10)});
    for (int i = 0; i < 8; ++i) {
        cache.finds("/" + std::to_string(i));
        cache.is_hit("/" + std::to_string(i), 1000);  // counts as 8: no count is above the number of cache processes
    }
    for (int i = 0; i < 8; ++i) cache.finds("/new");
    EXPECT_FALSE(cache.keeps("/new"));
    cache.time_passes(seconds(10));  // now 4 for all: they age together
    cache.finds("/new");             // 5
    EXPECT_TRUE(cache.keeps("/new"));
}

TEST(CacheContents, AFileThatHasGoneLeaves)
{
    followed cache({.pages = 2});
    cache.finds("/a");
    cache.finds("/b");
    cache.finds("/a", std::nullopt);
    EXPECT_THAT(cache.kept(), ElementsAre("/b"));
    EXPECT_EQ(cache.now().competing, 0U);
    cache.finds("/nothing", std::nullopt);
    EXPECT_THAT(cache.kept(), ElementsAre("/b"));
}

TEST(CacheContents, MemoryIsBounded)
{
    followed cache({.pages = 100, .memory = 100'000});
    for (int i = 0; i < 100; ++i) cache.finds("/" + std::to_string(i), 10'000);
    EXPECT_LT(cache.kept().size(), 10U);
    EXPECT_GT(cache.kept().size(), 4U);
    cache.finds("/large", 90'000);
    cache.finds("/large", 90'000);
    EXPECT_THAT(cache.kept(), ElementsAre("/large")) << "requested more often than all that it displaces";
    cache.finds("/huge", 200'000);
    cache.finds("/huge", 200'000);
    EXPECT_THAT(cache.kept(), ElementsAre("/large")) << "no page is evicted for one that does not fit in any case";
}

TEST(CacheContents, APageThatGrowsMustCompeteForItsPlace)
{
    followed cache({.pages = 10, .memory = 30'000});
    cache.finds("/a", 10'000);
    cache.finds("/b", 10'000);
    cache.is_hit("/b", 5);
    cache.finds("/a", 20'000);
    EXPECT_THAT(cache.kept(), ElementsAre("/b"));
    cache.finds("/b", 20);
    EXPECT_THAT(cache.kept(), ElementsAre("/b"));
    cache.finds("/a", 20'000);
    EXPECT_THAT(cache.kept(), ElementsAre("/a", "/b"));
}

TEST(CacheContents, WithoutMemoryKeepsNothing)
{
    followed cache({.memory = 0});
    for (int i = 0; i < 3; ++i) cache.finds("/a");
    EXPECT_THAT(cache.kept(), IsEmpty());
    EXPECT_EQ(cache.now().bytes, 0U);
}

TEST(CacheContents, LongNamesOfPagesThatAreNotKeptCountToo)
{
    followed cache({.pages = 100, .memory = 10'000});
    cache.finds("/a");
    for (int i = 0; i < 100; ++i) cache.finds("/" + std::to_string(i) + std::string(1000, 'x'), 9'500);
    EXPECT_LE(cache.now().bytes, 10'000U);
    EXPECT_TRUE(cache.keeps("/a"));
}

TEST(CacheContents, WithLessRoomThoseStayThatAreAskedForMost)
{
    followed cache({.pages = 4, .memory = 50'000});
    for (const char* page : {"/a", "/b", "/c", "/d"}) cache.finds(page, 10'000);
    cache.finds("/e", 10'000);
    cache.is_hit("/b", 3);
    cache.is_hit("/d", 2);
    cache.has({25'000});
    EXPECT_THAT(cache.kept(), ElementsAre("/b", "/d"));
    EXPECT_EQ(cache.now().competing, 0U);
    cache.finds("/a", 10'000);
    EXPECT_FALSE(cache.keeps("/a"));
    cache.has({50'000});
    cache.finds("/a", 10'000);
    EXPECT_THAT(cache.kept(), ElementsAre("/a", "/b", "/d"));
    cache.has({0});
    EXPECT_THAT(cache.kept(), IsEmpty());
    EXPECT_EQ(cache.now().bytes, 0U);
}

TEST(CacheContents, WhateverHappensTheBooksAgree)
{
    std::mt19937_64 random(7);
    followed cache({.pages = 16, .memory = 50'000});
    for (int i = 0; i < 20'000; ++i) {
        const std::string path = "/" + std::to_string(random() % 60);
        switch (i % 1'000 == 999 ? 8 : random() % 8) {
            case 8:
                cache.has({random() % 60'000});
                break;
            case 0:
                cache.finds(path, std::nullopt);
                break;
            case 1:
                cache.time_passes(seconds(random() % 20));
                break;
            case 2:
            case 3:
                cache.is_hit(path, static_cast<std::uint32_t>(random() % 20));
                break;
            default:
                cache.finds(path, random() % 10'000);
        }
    }
}

}  // namespace
}  // namespace server
