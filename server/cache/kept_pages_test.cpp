// SPDX-License-Identifier: MIT
#include "server/cache/kept_pages.hpp"

#include <string>

#include <gtest/gtest.h>

#include "server/test_support.hpp"

namespace server {
namespace {

using std::chrono::milliseconds;
using test::page_of;

constexpr csp::time_point start = csp::time_point() + std::chrono::hours(1);

// A frozen page lives on a core, so each test has one.
class KeptPages : public testing::Test {
    csp::test_kernel kernel_{1};
};

TEST_F(KeptPages, KnowNothingAtFirst)
{
    kept_pages pages(cache_rules{});
    const auto a = pages.find("/", start);
    EXPECT_FALSE(a.page);
    EXPECT_FALSE(a.fresh);
    EXPECT_EQ(pages.size(), 0U);
    EXPECT_EQ(pages.bytes(), 0U);
}

TEST_F(KeptPages, AreFreshForThreeQuartersOfTheirTime)
{
    kept_pages pages(cache_rules{.freshness = milliseconds(1000)});
    pages.put("/a", page_of("x"), start);
    EXPECT_TRUE(pages.find("/a", start).fresh);
    EXPECT_TRUE(pages.find("/a", start + milliseconds(749)).fresh);
    const auto due = pages.find("/a", start + milliseconds(750));
    EXPECT_FALSE(due.fresh);
    ASSERT_TRUE(due.page);
    EXPECT_EQ(due.page->content, "x");
}

TEST_F(KeptPages, SendOneLookerAtATime)
{
    kept_pages pages(cache_rules{.freshness = milliseconds(1000)});
    pages.put("/a", page_of("x"), start);
    EXPECT_FALSE(pages.find("/a", start + milliseconds(800)).fresh);
    EXPECT_TRUE(pages.find("/a", start + milliseconds(800)).fresh) << "somebody is looking already";
    EXPECT_TRUE(pages.find("/a", start + milliseconds(1049)).fresh);
    EXPECT_FALSE(pages.find("/a", start + milliseconds(1050)).fresh) << "that look should be over: another one";
    EXPECT_TRUE(pages.find("/a", start + milliseconds(1050)).fresh);
}

TEST_F(KeptPages, AreFreshAgainWhenLookedAt)
{
    kept_pages pages(cache_rules{.freshness = milliseconds(1000)});
    pages.put("/a", page_of("old"), start);
    const auto due = pages.find("/a", start + milliseconds(900));
    pages.put("/a", frozen_page(due.page), start + milliseconds(901));
    EXPECT_TRUE(pages.find("/a", start + milliseconds(1600)).fresh);
    EXPECT_FALSE(pages.find("/a", start + milliseconds(1651)).fresh);
    EXPECT_EQ(pages.size(), 1U);
}

TEST_F(KeptPages, AreReplaced)
{
    kept_pages pages(cache_rules{});
    pages.put("/a", page_of("old"), start);
    const std::size_t before = pages.bytes();
    pages.put("/a", page_of("newer"), start);
    EXPECT_EQ(pages.find("/a", start).page->content, "newer");
    EXPECT_EQ(pages.size(), 1U);
    EXPECT_EQ(pages.bytes(), before + 2);
}

TEST_F(KeptPages, AreRemoved)
{
    kept_pages pages(cache_rules{});
    pages.put("/a", page_of("x"), start);
    pages.put("/b", page_of("y"), start);
    const auto held = pages.find("/a", start);
    pages.put("/a", frozen_page(), start);
    pages.put("/never-there", frozen_page(), start);
    EXPECT_FALSE(pages.find("/a", start).page);
    EXPECT_TRUE(pages.find("/b", start).page);
    EXPECT_EQ(held.page->content, "x") << "who holds a page keeps it";
    pages.put("/b", frozen_page(), start);
    EXPECT_EQ(pages.bytes(), 0U);
    EXPECT_EQ(pages.size(), 0U);
}

TEST_F(KeptPages, GoWhenNotAskedForAndMemoryIsShort)
{
    std::size_t one = 0;
    {
        kept_pages pages(cache_rules{});
        pages.put("/0", page_of(std::string(1000, 'x')), start);
        one = pages.bytes();
        EXPECT_GT(one, 1000U);
    }
    kept_pages pages(cache_rules{.memory = 3 * one});
    for (const char* const p : {"/0", "/1", "/2"}) pages.put(p, page_of(std::string(1000, 'x')), start);
    EXPECT_EQ(pages.size(), 3U);
    EXPECT_TRUE(pages.find("/0", start).page);  // so /1 is the one asked for least recently
    pages.put("/3", page_of(std::string(1000, 'x')), start);
    EXPECT_EQ(pages.size(), 3U);
    EXPECT_LE(pages.bytes(), 3 * one);
    EXPECT_FALSE(pages.find("/1", start).page);
    EXPECT_TRUE(pages.find("/0", start).page);
    EXPECT_TRUE(pages.find("/2", start).page);
    EXPECT_TRUE(pages.find("/3", start).page);
}

TEST_F(KeptPages, ALargeOnePushesOutSeveral)
{
    kept_pages pages(cache_rules{.memory = 10'000});
    for (int i = 0; i < 8; ++i) pages.put("/" + std::to_string(i), page_of(std::string(500, 'x')), start);
    EXPECT_EQ(pages.size(), 8U);
    pages.put("/large", page_of(std::string(8000, 'x')), start);
    EXPECT_TRUE(pages.find("/large", start).page);
    EXPECT_LE(pages.bytes(), 10'000U);
    EXPECT_LT(pages.size(), 5U);
}

TEST_F(KeptPages, OneLargerThanAllTheMemoryIsNotKept)
{
    kept_pages pages(cache_rules{.memory = 5'000});
    pages.put("/a", page_of(std::string(6000, 'x')), start);
    EXPECT_EQ(pages.size(), 0U);
    EXPECT_EQ(pages.bytes(), 0U);
    EXPECT_FALSE(pages.find("/a", start).page);
}

TEST_F(KeptPages, NoneWithoutMemory)
{
    kept_pages pages(cache_rules{.memory = 0});
    pages.put("/a", page_of("x"), start);
    pages.put("/a", page_of("x"), start);
    EXPECT_FALSE(pages.find("/a", start).page);
    EXPECT_EQ(pages.bytes(), 0U);
}

}  // namespace
}  // namespace server
