// SPDX-License-Identifier: MIT
#include "server/static_farm/select.hpp"

#include <string>

#include <gmock/gmock.h>

#include "http/date.hpp"

namespace server {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::HasSubstr;
using testing::Not;

constexpr sys_seconds now{seconds(1'800'000'000)};

description page_of_100_bytes()
{
    description d;
    d.media_type = "text/plain; charset=utf-8";
    d.etag = "\"tag\"";
    d.modified = now - seconds(1000);
    d.bytes = 100;
    d.varies = true;
    d.cache_control = "no-cache";
    return d;
}

request asking(http::preconditions conditions = {}, http::method method = http::method::get)
{
    request r;
    r.method = method;
    r.conditions = conditions;
    r.is_conditional = true;
    return r;
}

std::string fields(const response& r) { return std::string(r.fields.lines()); }

TEST(Select, AllOfItWhenNothingIsSaid)
{
    const auto r = select(request(), page_of_100_bytes(), now);
    ASSERT_TRUE(r.has_value());
    EXPECT_EQ(r->code, http::status::ok);
    EXPECT_EQ(r->content_bytes(), 100U);
    EXPECT_THAT(fields(*r), HasSubstr("Content-Length: 100\r\n"));
    EXPECT_THAT(fields(*r), HasSubstr("Accept-Ranges: bytes\r\n"));
}

TEST(Select, NotModifiedTellsWhatTheWholeWouldAboutKeepingIt)
{
    const auto r = select(asking({.if_none_match = "\"tag\""}), page_of_100_bytes(), now);
    ASSERT_TRUE(r.has_value());
    EXPECT_EQ(r->code, http::status::not_modified);
    EXPECT_TRUE(r->content.empty());
    for (const char* field : {"ETag: \"tag\"\r\n", "Vary: Accept-Encoding\r\n", "Cache-Control: no-cache\r\n"}) {
        EXPECT_THAT(fields(*r), HasSubstr(field));
    }
    EXPECT_THAT(fields(*r), Not(HasSubstr("Content-"))) << "RFC 9110, section 15.4.5";
}

TEST(Select, AFailedConditionIsRefused)
{
    const auto r = select(asking({.if_match = "\"other\""}), page_of_100_bytes(), now);
    ASSERT_FALSE(r.has_value());
    EXPECT_EQ(r.error().why.code, http::status::precondition_failed);
}

TEST(Select, OneRange)
{
    const auto r = select(asking({.range = "bytes=10-19"}), page_of_100_bytes(), now);
    ASSERT_TRUE(r.has_value());
    EXPECT_EQ(r->code, http::status::partial_content);
    ASSERT_EQ(r->content.size(), 1U);
    const slice part = std::get<slice>(r->content.front());
    EXPECT_EQ(part.offset, 10U);
    EXPECT_EQ(part.bytes, 10U);
    EXPECT_THAT(fields(*r), HasSubstr("Content-Range: bytes 10-19/100\r\n"));
    EXPECT_THAT(fields(*r), HasSubstr("Content-Length: 10\r\n"));
}

TEST(Select, SeveralRangesAreParts)
{
    const auto r = select(asking({.range = "bytes=0-0,-1"}), page_of_100_bytes(), now);
    ASSERT_TRUE(r.has_value());
    EXPECT_EQ(r->code, http::status::partial_content);
    ASSERT_EQ(r->content.size(), 5U) << "two heads, two slices and the end";
    EXPECT_THAT(fields(*r), HasSubstr("Content-Type: multipart/byteranges; boundary="));
    EXPECT_THAT(fields(*r), HasSubstr("Content-Length: " + std::to_string(r->content_bytes()) + "\r\n"));
    EXPECT_THAT(fields(*r), Not(HasSubstr("Content-Range")));
    EXPECT_THAT(std::get<std::string>(r->content[2]), HasSubstr("Content-Range: bytes 99-99/100\r\n"));
}

TEST(Select, ARangeBehindTheEndIsRefusedWithTheSize)
{
    const auto r = select(asking({.range = "bytes=100-"}), page_of_100_bytes(), now);
    ASSERT_FALSE(r.has_value());
    EXPECT_EQ(r.error().why.code, http::status::range_not_satisfiable);
    EXPECT_EQ(r.error().with.lines(), "Content-Range: bytes */100\r\n");
}

TEST(Select, HeadIgnoresRanges)
{
    const auto r = select(asking({.range = "bytes=0-0"}, http::method::head), page_of_100_bytes(), now);
    ASSERT_TRUE(r.has_value());
    EXPECT_EQ(r->code, http::status::ok);
}

TEST(Select, IfRangeDecidesWhetherTheRangeCounts)
{
    const auto same = select(asking({.if_range = "\"tag\"", .range = "bytes=0-0"}), page_of_100_bytes(), now);
    ASSERT_TRUE(same.has_value());
    EXPECT_EQ(same->code, http::status::partial_content);
    const auto other = select(asking({.if_range = "\"old\"", .range = "bytes=0-0"}), page_of_100_bytes(), now);
    ASSERT_TRUE(other.has_value());
    EXPECT_EQ(other->code, http::status::ok);
}

TEST(Select, AnEmptyPageHasNoContent)
{
    description d = page_of_100_bytes();
    d.bytes = 0;
    const auto r = select(asking({.range = "bytes=0-"}), d, now);
    ASSERT_TRUE(r.has_value());
    EXPECT_EQ(r->code, http::status::ok);
    EXPECT_TRUE(r->content.empty());
}

}  // namespace
}  // namespace server
