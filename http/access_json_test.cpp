// SPDX-License-Identifier: MIT
#include "http/access_json.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "http/json_text.hpp"

namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

std::string in_json(std::string_view text, std::size_t most = std::string_view::npos)
{
    std::string to = "before";
    http::append_json_text(to, text, most);
    EXPECT_TRUE(to.starts_with("before\"") && to.ends_with('"'));
    return to.substr(7, to.size() - 8);
}

http::access_record example()
{
    return {.when = std::chrono::sys_days{2026y / 1 / 9} + 3h + 4min + 5s + 6ms,
            .request_id = "0a-1-2",
            .client = "127.0.0.1",
            .host = "example.org",
            .site = "*.example.org",
            .request_line = "GET /a.gif?b HTTP/1.0",
            .code = http::status::ok,
            .body_bytes = 2326,
            .complete = true,
            .duration = 2'000'345us,
            .referer = "http://example.org/start",
            .user_agent = "Mozilla/5.0"};
}

std::string line_of(const http::access_record& record)
{
    std::string line;
    http::append_access_json(line, record);
    return line;
}

TEST(AccessJson, AllMembersInOrder)
{
    EXPECT_EQ(line_of(example()),
              R"({"time":"2026-01-09T03:04:05.006Z","request_id":"0a-1-2","remote_addr":"127.0.0.1",)"
              R"("host":"example.org","site":"*.example.org","method":"GET","target":"/a.gif?b","protocol":"HTTP/1.0",)"
              R"("status":200,"bytes":2326,"complete":true,"duration":2.000345,)"
              R"("referer":"http://example.org/start","user_agent":"Mozilla/5.0"})"
              "\n");
    EXPECT_EQ(line_of({}),
              R"({"time":"1970-01-01T00:00:00.000Z","request_id":"","remote_addr":"","host":"","site":"","method":"",)"
              R"("target":"","protocol":"","status":200,"bytes":0,"complete":true,"duration":0.000000,"referer":"",)"
              R"("user_agent":""})"
              "\n");
}

TEST(AccessJson, ARequestLineThatIsNoneIsTheTarget)
{
    http::access_record record = example();
    for (const std::string_view line : {"GET", "GET /", "GET / FTP/1.0", " / HTTP/1.1", "HTTP/1.1"}) {
        record.request_line = line;
        EXPECT_NE(line_of(record).find("\"method\":\"\",\"target\":\"" + std::string(line) + "\",\"protocol\":\"\""),
                  std::string::npos)
            << line_of(record);
    }
    record.request_line = "GET /a b HTTP/1.1";
    EXPECT_NE(line_of(record).find(R"("method":"GET","target":"/a b","protocol":"HTTP/1.1")"), std::string::npos);
}

TEST(AccessJson, ALineHasABound)
{
    http::access_record record = example();
    const std::string many(100'000, '\x01');
    record.request_line = record.client = record.host = record.referer = record.user_agent = many;
    const std::string line = line_of(record);
    EXPECT_LT(line.size(), 16U * 1024);
    EXPECT_EQ(std::ranges::count(line, '\n'), 1);
}

TEST(JsonText, Escapes)
{
    EXPECT_EQ(in_json(""), "");
    EXPECT_EQ(in_json("a \"b\" \\ /"), R"(a \"b\" \\ /)");
    EXPECT_EQ(in_json("\0\x1f\r\n\t\x7f"sv), R"(\u0000\u001f\u000d\u000a\u0009\u007f)");
    EXPECT_EQ(in_json("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"), "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
    EXPECT_EQ(in_json("\xC2\x9B[2J\xC2\xA0"), "\\u009b[2J\xC2\xA0");  // what a terminal takes for a control sequence
}

TEST(JsonText, WhatIsNotUtf8IsReplaced)
{
    const std::string r = "\xEF\xBF\xBD";
    EXPECT_EQ(in_json("a\xFFz"), "a" + r + "z");
    EXPECT_EQ(in_json("\x80"), r);
    EXPECT_EQ(in_json("\xC0\xAF"), r + r);                  // an overlong form of /
    EXPECT_EQ(in_json("\xE0\x80\xAF"), r + r + r);          // a longer overlong form
    EXPECT_EQ(in_json("\xED\xA0\x80"), r + r + r);          // a surrogate
    EXPECT_EQ(in_json("\xF4\x90\x80\x80"), r + r + r + r);  // beyond the last character
    EXPECT_EQ(in_json("\xF5\x80\x80\x80"), r + r + r + r);
    EXPECT_EQ(in_json("\xE2\x82"), r + r);             // its end is missing
    EXPECT_EQ(in_json("\xE2\x82\""), r + r + "\\\"");  // a quote does not complete it
    EXPECT_EQ(in_json("\xF0\x9F\x98"), r + r + r);
}

TEST(JsonText, CutsBetweenCharacters)
{
    for (std::size_t most = 16; most < 60; ++most) {
        for (const std::string_view filler : {"x", "\"", "\n", "\xC3\xA9", "\xFF", "a\xF0\x9F\x98\x80"}) {
            std::string text;
            for (int i = 0; i < 60; ++i) text += filler;
            const std::string cut = in_json(text, most);
            ASSERT_LE(cut.size(), most);
            ASSERT_GE(cut.size() + 6, most - 2);
            ASSERT_TRUE(cut.ends_with("..."));
            std::string all = in_json(text);
            ASSERT_EQ(all.substr(0, cut.size() - 3), cut.substr(0, cut.size() - 3));
        }
    }
    EXPECT_EQ(in_json("0123456789abcdef", 16), "0123456789abcdef");
    EXPECT_EQ(in_json("0123456789abcdefg", 16), "0123456789abc...");
    EXPECT_EQ(in_json("0123456789abcde\n", 16), "0123456789abc...");
}

}  // namespace
