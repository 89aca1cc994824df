// SPDX-License-Identifier: MIT
#include "http/characters.hpp"

#include <string>

#include <gtest/gtest.h>

namespace {

// The searches test 16 bytes at a time and then single ones: the result for a byte must not depend on its position.
TEST(Characters, SearchesAgreeWithTheClasses)
{
    for (int value = 0; value < 256; ++value) {
        const char c = static_cast<char>(value);
        for (std::size_t at = 0; at < 40; ++at) {
            std::string text(40, 'x');
            text[at] = c;
            for (std::size_t from : {std::size_t{0}, at / 2, at}) {
                EXPECT_EQ(http::find_not_field_char(text, from), http::is_field_char(c) ? text.size() : at) << value;
                EXPECT_EQ(http::find_not_target_char(text, from), http::is_target_char(c) ? text.size() : at) << value;
            }
        }
    }
}

TEST(Characters, SearchesOfNothing)
{
    EXPECT_EQ(http::find_not_field_char("", 0), 0U);
    EXPECT_EQ(http::find_not_target_char("abc", 3), 3U);
}

TEST(Characters, Classes)
{
    EXPECT_EQ(http::hex_value('0'), 0);
    EXPECT_EQ(http::hex_value('a'), 10);
    EXPECT_EQ(http::hex_value('F'), 15);
    for (char c : {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\x80'}) EXPECT_EQ(http::hex_value(c), -1);
    EXPECT_TRUE(http::is_control('\t'));
    EXPECT_TRUE(http::is_control('\x7f'));
    EXPECT_FALSE(http::is_control('\x80'));
    EXPECT_TRUE(http::is_field_char('\t'));
    EXPECT_FALSE(http::is_target_char('\x80'));
    EXPECT_EQ(http::to_lower('Z'), 'z');
    EXPECT_EQ(http::to_lower('['), '[');
}

}  // namespace
