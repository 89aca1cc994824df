// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "http/list.hpp"
#include "http/method.hpp"
#include "http/status.hpp"

namespace {

using http::method;
using http::status;

TEST(Method, NamesAndTokensAgree)
{
    for (method m : {method::get, method::head, method::post, method::put, method::delete_, method::connect,
                     method::options, method::trace, method::patch})
        EXPECT_EQ(http::parse_method(http::name(m)), m);
    EXPECT_EQ(http::name(method::delete_), "DELETE");
    EXPECT_EQ(http::name(method::other), "");
    for (std::string_view token : {"", "get", "GETS", "GE", "BREW"})
        EXPECT_EQ(http::parse_method(token), method::other);
    EXPECT_TRUE(http::is_safe(method::head));
    EXPECT_FALSE(http::is_safe(method::post));
}

TEST(Status, Phrases)
{
    EXPECT_EQ(http::reason_phrase(status::ok), "OK");
    EXPECT_EQ(http::reason_phrase(status::content_too_large), "Content Too Large");
    EXPECT_EQ(http::reason_phrase(static_cast<status>(299)), "");
    EXPECT_EQ(http::number(status::network_authentication_required), 511);
}

TEST(List, WalksOverElements)
{
    http::list_cursor list(" a , b\t,,c,");
    for (std::string_view element : {"a", "b", "", "c", ""}) EXPECT_EQ(list.next(), element);
    EXPECT_EQ(list.next(), std::nullopt);
    EXPECT_EQ(list.next(), std::nullopt);
    http::list_cursor empty("");
    EXPECT_EQ(empty.next(), "");
    EXPECT_EQ(empty.next(), std::nullopt);
}

TEST(List, Texts)
{
    EXPECT_TRUE(http::equal_ignoring_case("aZ-9", "Az-9"));
    EXPECT_FALSE(http::equal_ignoring_case("a", "ab"));
    EXPECT_FALSE(http::equal_ignoring_case("[", "{"));
    EXPECT_EQ(http::trim("\t a b \t"), "a b");
    EXPECT_EQ(http::trim(" \t"), "");
    EXPECT_TRUE(http::is_token("a!9"));
    EXPECT_FALSE(http::is_token(""));
    EXPECT_FALSE(http::is_token("a b"));
    EXPECT_FALSE(http::is_token("\x80"));
}

}  // namespace
