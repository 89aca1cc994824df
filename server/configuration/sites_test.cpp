// SPDX-License-Identifier: MIT
#include "server/configuration/sites.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace server {
namespace {

using http::status;
using testing::ElementsAre;
using testing::IsEmpty;

site named(std::vector<std::string> names) { return {.names = std::move(names), .is_default = false, .files = {}}; }

route gone(std::string path) { return {std::move(path), fixed_status{status::gone}, {}}; }
route adds(std::string path) { return {std::move(path), {}, {{"X-A", "1"}}}; }

TEST(Sites, TheNameDecides)
{
    const site_table sites({named({"example.org", "[::1]"}), named({"*.example.org"}), named({"*.a.example.org"})});
    EXPECT_EQ(sites.find("example.org"), 0U);
    EXPECT_EQ(sites.find("EXAMPLE.org.:8080"), 0U) << "case, the last dot and the port are no part of the name";
    EXPECT_EQ(sites.find("[::1]:80"), 0U);
    EXPECT_EQ(sites.find("www.example.org"), 1U);
    EXPECT_EQ(sites.find("x.y.example.org"), 1U);
    EXPECT_EQ(sites.find("a.example.org"), 1U);
    EXPECT_EQ(sites.find("x.a.example.org"), 2U) << "the longest of the parents";
    EXPECT_EQ(sites.find("notexample.org"), std::nullopt);
    EXPECT_EQ(sites.find("example.org.evil.com"), std::nullopt);
    EXPECT_EQ(sites.find(""), std::nullopt);
}

TEST(Sites, TheDefaultHasTheRest)
{
    const site_table sites({named({"a"}), {.names = {}, .is_default = true, .files = {}}});
    EXPECT_EQ(sites.find("a"), 0U);
    EXPECT_EQ(sites.find("b"), 1U);
    EXPECT_EQ(sites.find(""), 1U);
}

TEST(Sites, AThousandCostWhatOneCosts)
{
    std::vector<site> one{named({"*.example0.org"})};
    std::vector<site> many;
    for (int i = 0; i < 1000; ++i) many.push_back(named({"*.example" + std::to_string(i) + ".org"}));
    EXPECT_EQ(site_table(one).most_lookups(), site_table(many).most_lookups());
    EXPECT_EQ(site_table(many).find("www.example999.org"), 999U);
}

TEST(Routes, KindsOfPaths)
{
    EXPECT_EQ(kind_of("/"), path_kind::exact);
    EXPECT_EQ(kind_of("/a/b"), path_kind::exact);
    EXPECT_EQ(kind_of("/*"), path_kind::beneath);
    EXPECT_EQ(kind_of("/a/*"), path_kind::beneath);
    EXPECT_EQ(kind_of("*.tar.gz"), path_kind::ending);
    for (const char* bad : {"", "a", "*", "/a*", "/*/b", "*.", "*a", "*.a/b", "/a/**"}) {
        EXPECT_EQ(kind_of(bad), std::nullopt) << bad;
    }
}

TEST(Routes, EachKindHasItsPaths)
{
    const route_table t({gone("/a"), gone("/b/*"), gone("*.php"), gone("*.tar.gz"), gone("/c/d/*")});
    const auto acting = [&](std::string_view path) { return t.match(path).acting; };
    EXPECT_EQ(acting("/a"), 0U);
    EXPECT_EQ(acting("/a/"), std::nullopt);
    EXPECT_EQ(acting("/b"), 1U);
    EXPECT_EQ(acting("/b/"), 1U);
    EXPECT_EQ(acting("/b/c/d"), 1U);
    EXPECT_EQ(acting("/bc"), std::nullopt);
    EXPECT_EQ(acting("/x/y.php"), 2U);
    EXPECT_EQ(acting("/x.php/y"), std::nullopt);
    EXPECT_EQ(acting("/x.tar.gz"), 3U);
    EXPECT_EQ(acting("/x.v1.tar.gz"), 3U);
    EXPECT_EQ(acting("/x.gz"), std::nullopt);
    EXPECT_EQ(acting("/c"), std::nullopt);
    EXPECT_EQ(acting("/c/d"), 4U);
    EXPECT_EQ(acting("/c/d/e"), 4U);
    EXPECT_EQ(acting("/"), std::nullopt);
}

TEST(Routes, TheFirstWrittenWins)
{
    EXPECT_EQ(route_table({gone("*.php"), gone("/a/*"), gone("/a/b.php")}).match("/a/b.php").acting, 0U);
    EXPECT_EQ(route_table({gone("/a/b.php"), gone("/a/*"), gone("*.php")}).match("/a/b.php").acting, 0U);
    EXPECT_EQ(route_table({gone("/a/*"), gone("/a/b/*")}).match("/a/b/c").acting, 0U);
    EXPECT_EQ(route_table({gone("/a"), gone("/a")}).match("/a").acting, 0U);
}

TEST(Routes, ThoseThatOnlyAddHeadersAddUp)
{
    const route_table t({adds("/*"), gone("/a/*"), gone("/a/b"), adds("/a/b"), adds("*.css")});
    EXPECT_THAT(t.match("/a/b").headers, ElementsAre(0, 1, 3));
    EXPECT_EQ(t.match("/a/b").acting, 1U);
    EXPECT_THAT(t.match("/x.css").headers, ElementsAre(0, 4));
    EXPECT_EQ(t.match("/x.css").acting, std::nullopt);
    EXPECT_THAT(route_table().match("/").headers, IsEmpty());
}

TEST(Routes, AThousandCostWhatOneCosts)
{
    const std::vector<route> one{gone("/old0/x/*"), gone("/gone0"), gone("*.x0")};
    std::vector<route> many;
    for (int i = 0; i < 1000; ++i) {
        const std::string n = std::to_string(i);
        many.insert(many.end(), {gone("/old" + n + "/x/*"), gone("/gone" + n), gone("*.x" + n)});
    }
    for (const char* path : {"/", "/a/b/c/d/e/f.html", "/gone999", "/old999/x/y"}) {
        EXPECT_EQ(route_table(one).match(path).lookups, route_table(many).match(path).lookups) << path;
    }
    EXPECT_EQ(route_table(many).match("/gone999").acting, 999U * 3 + 1);
    std::string deep;
    for (int i = 0; i < 1000; ++i) deep += "/a.b";
    EXPECT_LE(route_table(many).match(deep).lookups, 6U) << "a client cannot make it cost more";
}

TEST(Routes, WhatCanNeverBeReached)
{
    const auto hidden = [](std::vector<route> routes) {
        hidden_routes all;
        std::optional<route_number> by;
        for (const route& r : routes) by = all.add(r);
        return by;
    };
    EXPECT_EQ(hidden({gone("/a"), gone("/a")}), 0U);
    EXPECT_EQ(hidden({gone("/x"), gone("/a/*"), gone("/a/b/*")}), 1U);
    EXPECT_EQ(hidden({gone("/a/*"), gone("/a")}), 0U);
    EXPECT_EQ(hidden({gone("/*"), gone("*.php")}), 0U);
    EXPECT_EQ(hidden({gone("*.gz"), gone("*.tar.gz")}), 0U);
    EXPECT_EQ(hidden({gone("*.gz"), gone("/a.gz")}), 0U);
    EXPECT_EQ(hidden({gone("/a/b/*"), gone("/a/*")}), std::nullopt);
    EXPECT_EQ(hidden({gone("/a/*"), gone("/ab")}), std::nullopt);
    EXPECT_EQ(hidden({gone("*.php"), gone("/a/*")}), std::nullopt);
    EXPECT_EQ(hidden({adds("/*"), gone("/a")}), std::nullopt);
    EXPECT_EQ(hidden({gone("/*"), adds("/a")}), std::nullopt) << "headers add up wherever they stand";
}

TEST(Routes, Placeholders)
{
    EXPECT_EQ(fill_in("https://b{path}{query}", "/a b", "", "x=1"), "https://b/a%20b?x=1");
    EXPECT_EQ(fill_in("/new/{rest}", "/old/c", rest_of(gone("/old/*"), "/old/c"), ""), "/new/c");
    EXPECT_EQ(fill_in("/new/{rest}", "/old", rest_of(gone("/old/*"), "/old"), ""), "/new/");
    EXPECT_EQ(rest_of(gone("*.php"), "/a/b.php"), "a/b");
    EXPECT_EQ(fill_in("/{rest}.html{query}", "/a/b.php", "a/b", ""), "/a/b.html");
    EXPECT_EQ(fill_in("{other}{rest}{", "/", "{path}", "q"), "{other}%7Bpath%7D{") << "nothing is filled in twice";
}

TEST(Routes, PlaceholdersAreEncodedForWhereTheyStand)
{
    struct filled {
        std::string_view pattern;
        std::string_view rest;
        std::string_view query;
        std::string_view address;
    };
    for (const auto& [pattern, rest, query, address] : std::to_array<filled>({
             {"/n/{rest}", "a+b&c=d", "", "/n/a+b%26c=d"},
             {"/n?q={rest}", "a+b&c=d", "", "/n?q=a%2Bb%26c%3Dd"},
             {"/n?q={rest}", "50% \u00e9?#", "", "/n?q=50%25%20%C3%A9%3F%23"},
             {"/n/{rest}", "50% \u00e9?#", "", "/n/50%25%20%C3%A9%3F%23"},
             {"/n?q={rest}{query}", "a", "x=1&y=%2B", "/n?q=a&x=1&y=%2B"},
             {"/n?q={rest}{query}", "a", "", "/n?q=a"},
             {"/n{query}", "", "a?b=+", "/n?a?b=+"},
             {"/n{query}", "", "q=\"<\u00e9>", "/n?q=%22%3C%C3%A9%3E"},
             {"/n?a#{rest}", "b&c", "", "/n?a#b%26c"},
             {"/n{query}#x", "", "a=b", "/n?a=b#x"},
         })) {
        EXPECT_EQ(fill_in(pattern, "/p", rest, query), address) << pattern;
    }
}

TEST(Routes, ARedirectThatComesBackToItself)
{
    const auto to = [](std::string path, std::string target) {
        return route{std::move(path), redirect{std::move(target), status::found}, {}};
    };
    const auto loops = [](const std::vector<route>& routes) {
        return !redirect_loop(routes, route_table(routes), 0).empty();
    };
    EXPECT_TRUE(loops({to("/a", "/a")}));
    EXPECT_TRUE(loops({to("/a", "/a?x=1")})) << "routes go by the path alone";
    EXPECT_TRUE(loops({to("/a", "/b"), to("/b", "/%61")}));
    EXPECT_TRUE(loops({to("/*", "/closed.html")}));
    EXPECT_TRUE(loops({to("/*", "/en{path}")})) << "longer and longer";
    EXPECT_TRUE(loops({to("*.php", "/x.php")}));
    EXPECT_FALSE(loops({to("/a", "/a/")}));
    EXPECT_FALSE(loops({to("/a/*", "/b/{rest}"), gone("/b/*")}));
    EXPECT_FALSE(loops({to("/*", "https://example.org{path}")})) << "nobody knows whose that is";
    EXPECT_FALSE(loops({gone("/a"), to("/a", "/a")}));
    const std::vector<route> with_a_way_out{{"/closed.html", look_for{{"{path}"}}, {}}, to("/*", "/closed.html")};
    EXPECT_TRUE(redirect_loop(with_a_way_out, route_table(with_a_way_out), 1).empty());
}

TEST(Headers, OfOneNameTheLaterCounts)
{
    std::vector<header> all{{"X-A", "1"}, {"X-B", "2"}};
    set_header(all, std::vector<header>{{"x-a", "3"}, {"X-C", ""}});
    EXPECT_THAT(all, ElementsAre(header{"X-B", "2"}, header{"x-a", "3"}, header{"X-C", ""}));
}

}  // namespace
}  // namespace server
