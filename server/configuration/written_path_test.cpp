// SPDX-License-Identifier: MIT
#include "server/configuration/written_path.hpp"

#include <array>
#include <string_view>

#include <gmock/gmock.h>

#include "http/target.hpp"
#include "server/configuration/sites.hpp"

namespace server {
namespace {

using testing::HasSubstr;

struct accepted {
    std::string_view written;
    std::string_view meant;
};
struct refused {
    std::string_view written;
    std::string_view why;
};

TEST(WrittenPath, OfARouteIsTheOneOfTheRequest)
{
    for (const auto& [written, meant] : std::to_array<accepted>({
             {"/old page", "/old page"},
             {"/old%20page", "/old page"},
             {"/caf%C3%A9/*", "/caf\u00e9/*"},
             {"/caf\u00e9/*", "/caf\u00e9/*"},
             {"*.p%68p", "*.php"},
             {"/100%25", "/100%"},
             {"/a%3Fb", "/a?b"},
             {"/a%2Fb/*", std::string_view("/a\0b/*", 6)},
             {"/a/", "/a/"},
             {"/*", "/*"},
             {"/$metadata", "/$metadata"},
         })) {
        const auto read = read_route_path(written);
        ASSERT_TRUE(read) << written << ": " << read.error();
        EXPECT_EQ(*read, meant);
    }
}

TEST(WrittenPath, WhatCannotMatchIsAMistakeWithTheRightSpelling)
{
    for (const auto& [written, why] : std::to_array<refused>({
             {"//x", "did you mean `/x`?"},
             {"/a/../b", "did you mean `/b`?"},
             {"/a/./b/*", "did you mean `/a/b/`?"},
             {"/a//b%25", "did you mean `/a/b%25`?"},
             {"/..", "climbs above the root"},
             {"/a?b=c", "write `/a`"},
             {"/a#b", "write `/a`"},
             {"/50%", "percent escape"},
             {"/a%2A", "encoded star"},
             {"*.p%2A", "encoded star"},
             {"/{path}", "`{path}`: this path cannot have placeholders"},
             {"/$uri", "`$uri` is a variable of another web server"},
             {"a", "is not the path of a route"},
         })) {
        const auto read = read_route_path(written);
        ASSERT_FALSE(read) << written << " -> " << *read;
        EXPECT_THAT(read.error(), HasSubstr(why)) << written;
    }
}

TEST(WrittenPath, OfTry)
{
    EXPECT_EQ(read_try("{path}"), "{path}");
    EXPECT_EQ(read_try("{path}.html"), "{path}.html");
    EXPECT_EQ(read_try("{path}/index.html"), "{path}/index.html");
    EXPECT_EQ(read_try("/start%20page.html"), "/start page.html");
    EXPECT_EQ(read_try("index.html"), "/index.html");
    for (const auto& [written, why] : std::to_array<refused>({
             {"$uri", "write {path}"},
             {"$uri/", "write {path}"},
             {"=404", "remove it, since the server answers 404"},
             {"@app", "named location of nginx"},
             {"{path}/", "write `{path}`"},
             {"{uri}", "unknown placeholder `{uri}`; expected {path}"},
             {"/x{path}", "can stand only at the beginning"},
             {"{rest}", "unknown placeholder"},
             {"/index.html?x=1", "write `/index.html`"},
             {"/a/../b", "did you mean `/b`?"},
         })) {
        const auto read = read_try(written);
        ASSERT_FALSE(read) << written << " -> " << *read;
        EXPECT_THAT(read.error(), HasSubstr(why)) << written;
    }
}

TEST(WrittenPath, OfARedirectIsAUriReference)
{
    for (const auto& [written, meant] : std::to_array<accepted>({
             {"/stra\u00dfe", "/stra%C3%9Fe"},
             {"/stra%C3%9Fe", "/stra%C3%9Fe"},
             {"/a\"b<c>^`|\\[]", "/a%22b%3Cc%3E%5E%60%7C%5C%5B%5D"},
             {"https://example.org/\u00e9?q=\u00fc#\u00f6", "https://example.org/%C3%A9?q=%C3%BC#%C3%B6"},
             {"http://[::1]:80/{rest}", "http://[::1]:80/{rest}"},
             {"https://example.org{path}{query}", "https://example.org{path}{query}"},
             {"/find?q={rest}{query}#here", "/find?q={rest}{query}#here"},
             {"/$metadata", "/$metadata"},
         })) {
        const auto read = read_redirect(written);
        ASSERT_TRUE(read) << written << ": " << read.error();
        EXPECT_EQ(*read, meant);
    }
    for (const auto& [written, why] : std::to_array<refused>({
             {"/a b", "write %20"},
             {"/50%", "write %25"},
             {"/a%2", "write %25"},
             {"/$1", "write {rest}"},
             {"https://$host$request_uri", "`$host`"},
             {"/a$request_uri", "write {path}{query}"},
             {"/{foo}", "unknown placeholder `{foo}`; expected {path}, {rest}, {query}"},
             {"/a{", "unknown placeholder `{`"},
             {"/a{query}&b=c", "must come last"},
             {"/a#b{query}", "before the #"},
             {"/a#b#c", "two #"},
             {"//example.org/", "http:"},
             {"https://ex\u00e4mple.org/", "xn--"},
             {"https://{rest}/", "not a valid host name"},
             {"https:///a", "not a valid host name"},
             {"ftp://a/", "expected one that begins with"},
             {"a", "expected one that begins with"},
         })) {
        const auto read = read_redirect(written);
        ASSERT_FALSE(read) << written << " -> " << *read;
        EXPECT_THAT(read.error(), HasSubstr(why)) << written;
    }
}

TEST(WrittenPath, OfARewrite)
{
    for (const char* good : {"/app.html", "{path}.html", "/a/{rest}", "/%C3%A9/{rest}", "/\u00e9{path}"}) {
        EXPECT_EQ(read_rewrite(good), good);
        EXPECT_TRUE(http::canonicalize(fill_in(good, "/x y/z", "50% ?", ""))) << good;
    }
    for (const auto& [written, why] : std::to_array<refused>({
             {"/a?b", "write `/a`"},
             {"/a{query}", "remove {query}"},
             {"a", "must begin with /"},
             {"/a/../b", "did you mean `/b`?"},
             {"/{uri}", "unknown placeholder"},
         })) {
        const auto read = read_rewrite(written);
        ASSERT_FALSE(read) << written << " -> " << *read;
        EXPECT_THAT(read.error(), HasSubstr(why)) << written;
    }
}

TEST(WrittenPath, OfAnIndexAndAnErrorPage)
{
    EXPECT_EQ(read_index("in%64ex.html"), "index.html");
    for (const char* bad : {"", "/index.html", "a/", "../a", "$uri", "a?b"}) EXPECT_FALSE(read_index(bad)) << bad;
    EXPECT_EQ(read_path("/lost%20it.html"), "/lost it.html");
    for (const char* bad : {"", "lost.html", "/a?b", "/{path}", "//a", "/a%2Fb", "/%FF", "/%0A"})
        EXPECT_FALSE(read_path(bad)) << bad;
}

}  // namespace
}  // namespace server
