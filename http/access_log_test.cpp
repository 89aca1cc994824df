// SPDX-License-Identifier: MIT
#include "http/access_log.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using http::access_entry;

access_entry example()
{
    return {.client = "127.0.0.1",
            .time = "10/Oct/2000:13:55:36 +0000",
            .request_line = "GET /a.gif HTTP/1.0",
            .code = http::status::ok,
            .body_bytes = 2326,
            .referer = "http://example.org/start",
            .user_agent = "Mozilla/5.0"};
}

std::string line_of(const access_entry& entry, std::size_t room = http::access_line_bytes)
{
    std::vector<char> buffer(room);
    return {buffer.data(), http::format_access(entry, buffer)};
}

TEST(AccessLog, CombinedFormat)
{
    EXPECT_EQ(line_of(example()),
              "127.0.0.1 - - [10/Oct/2000:13:55:36 +0000] \"GET /a.gif HTTP/1.0\" 200 2326 "
              "\"http://example.org/start\" \"Mozilla/5.0\"\n");
    EXPECT_EQ(line_of({}), "- - - [] \"-\" 200 0 \"-\" \"-\"\n");
}

TEST(AccessLog, TimeIsThatOfTheSecond)
{
    const auto first = std::chrono::sys_days{2000y / 10 / 10} + 13h + 55min + 36s;
    http::log_time time;
    EXPECT_EQ(time.text(first), "10/Oct/2000:13:55:36 +0000");
    EXPECT_EQ(time.text(first), "10/Oct/2000:13:55:36 +0000");
    EXPECT_EQ(time.text(first + 1s), "10/Oct/2000:13:55:37 +0000");
    EXPECT_EQ(time.text(std::chrono::sys_seconds{}), "01/Jan/1970:00:00:00 +0000");
}

TEST(AccessLog, ALineCannotBeForged)
{
    access_entry entry = example();
    entry.user_agent = "x\"\n127.0.0.2 \\ \0\x7f\x80\xFF\t"sv;
    EXPECT_TRUE(line_of(entry).ends_with("\"x\\x22\\x0A127.0.0.2 \\x5C \\x00\\x7F\\x80\\xFF\\x09\"\n"));
    entry.client = "a b\"\n";
    EXPECT_TRUE(line_of(entry).starts_with("a b\\x22\\x0A - - ["));
}

TEST(AccessLog, LongTextsAreCutBetweenCharacters)
{
    for (std::size_t room = 256; room < 700; ++room) {
        for (std::string_view filler : {"x", "\"", "a\n"}) {
            access_entry entry = example();
            std::string text;
            for (int i = 0; i < 200; ++i) text += filler;
            entry.client = entry.request_line = entry.referer = entry.user_agent = text;
            entry.code = static_cast<http::status>(65535);
            entry.body_bytes = ~0ULL;
            const std::string line = line_of(entry, room);
            ASSERT_LE(line.size(), room);
            ASSERT_EQ(std::ranges::count(line, '\n'), 1);
            ASSERT_EQ(std::ranges::count(line, '"'), 6);
            ASSERT_TRUE(line.ends_with("...\"\n"));
        }
    }
}

TEST(AccessLog, NoRoomIsLeftUnused)
{
    access_entry entry = example();
    const std::size_t exact = line_of(entry).size();
    entry.request_line = {};
    const std::string longest(4096, 'x');
    entry.user_agent = longest;
    EXPECT_GT(line_of(entry, 600).size(), 500U);
    EXPECT_LT(exact, 256U);
}

}  // namespace
