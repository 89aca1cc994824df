// SPDX-License-Identifier: MIT
#include "http/entity_tag.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace {

using http::comparison;
using http::entity_tag;
using http::parse_entity_tag;

std::vector<entity_tag> tags_of(std::string_view list)
{
    std::vector<entity_tag> tags;
    http::entity_tag_cursor cursor(list);
    while (const auto tag = cursor.next()) tags.push_back(*tag);
    return tags;
}

// RFC 9110 section 8.8.3.
TEST(EntityTag, ReadsOne)
{
    EXPECT_EQ(parse_entity_tag(R"("xyzzy")"), (entity_tag{R"("xyzzy")", false}));
    EXPECT_EQ(parse_entity_tag(R"(W/"xyzzy")"), (entity_tag{R"("xyzzy")", true}));
    EXPECT_EQ(parse_entity_tag(R"("")"), (entity_tag{R"("")", false}));
    EXPECT_EQ(parse_entity_tag(R"("a,b\")"), (entity_tag{R"("a,b\")", false}));  // a backslash escapes nothing
    EXPECT_EQ(parse_entity_tag("\"\xC3\xA9\""), (entity_tag{"\"\xC3\xA9\"", false}));
}

TEST(EntityTag, RefusesTheRest)
{
    for (std::string_view text : {"",         "*",         "xyzzy",  "\"",        "\"a",    "a\"",        "w/\"a\"",
                                  "W\"a\"",   "W/",        "W/a",    "W/W/\"a\"", "/\"a\"", "\"a\"b",     "\"a b\"",
                                  "\"a\tb\"", "\"a\x7f\"", " \"a\"", "\"a\" ",    "\"a\",", "\"a\"\"b\"", "'a'"})
        EXPECT_EQ(parse_entity_tag(text), std::nullopt) << text;
}

// The table of RFC 9110 section 8.8.3.2.
TEST(EntityTag, Compares)
{
    struct row {
        std::string_view a, b;
        bool strong, weak;
    };
    for (const auto& [a, b, strong, weak] :
         {row{R"(W/"1")", R"(W/"1")", false, true}, row{R"(W/"1")", R"(W/"2")", false, false},
          row{R"(W/"1")", R"("1")", false, true}, row{R"("1")", R"("1")", true, true},
          row{R"("1")", R"(W/"1")", false, true}, row{R"("a")", R"("A")", false, false}}) {
        EXPECT_EQ(matches(*parse_entity_tag(a), *parse_entity_tag(b), comparison::strong), strong) << a << b;
        EXPECT_EQ(matches(*parse_entity_tag(a), *parse_entity_tag(b), comparison::weak), weak) << a << b;
    }
}

TEST(EntityTag, ReadsLists)
{
    const std::vector<entity_tag> two{{R"("a,b")", false}, {R"("c")", true}};
    for (std::string_view list :
         {R"("a,b", W/"c")", R"("a,b",W/"c")", R"(, "a,b" ,	,W/"c",)", R"( "a,b" , W/"c" )"})
        EXPECT_EQ(tags_of(list), two) << list;
    for (std::string_view list : {"", " ", ",", " , ,"}) EXPECT_TRUE(tags_of(list).empty()) << list;
}

TEST(EntityTag, AListEndsAtWhatIsNoTag)
{
    for (std::string_view list :
         {R"("a", b, "c")", R"("a" "c")", R"("a""c")", R"("a", "c)", R"("a", *)", R"("a", w/"c")"})
        EXPECT_EQ(tags_of(list), (std::vector<entity_tag>{{R"("a")", false}})) << list;
}

// RFC 9110 sections 13.1.1 and 13.1.2.
TEST(EntityTag, Names)
{
    const auto a = parse_entity_tag(R"("a")");
    const auto weak_a = parse_entity_tag(R"(W/"a")");
    EXPECT_TRUE(names("*", a, comparison::strong));
    EXPECT_TRUE(names(" * ", std::nullopt, comparison::strong));
    EXPECT_FALSE(names("*, \"b\"", a, comparison::weak));
    EXPECT_FALSE(names("\"*\"", a, comparison::weak));
    EXPECT_FALSE(names("\"a\"", std::nullopt, comparison::weak));
    EXPECT_TRUE(names("\"b\", \"a\"", a, comparison::strong));
    EXPECT_FALSE(names("\"b\", W/\"a\"", a, comparison::strong));
    EXPECT_TRUE(names("\"b\", W/\"a\"", a, comparison::weak));
    EXPECT_FALSE(names("\"a\"", weak_a, comparison::strong));
    EXPECT_TRUE(names("\"a\"", weak_a, comparison::weak));
    EXPECT_FALSE(names("a", a, comparison::weak));
}

}  // namespace
