// SPDX-License-Identifier: MIT
#include "http/range.hpp"

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace {

using http::byte_range;
using http::parse_range;
using http::range_answer;

constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();

// The requested ranges, each as "first-last"; otherwise "whole" or "unsatisfiable".
std::string asked(std::string_view field, std::uint64_t size = 10000)
{
    const auto got = parse_range(field, size);
    if (got.answer == range_answer::whole) return "whole";
    if (got.answer == range_answer::unsatisfiable) return "unsatisfiable";
    std::string text;
    for (const byte_range& range : got.ranges)
        text.append(text.empty() ? "" : " ") += std::to_string(range.first) + "-" + std::to_string(range.last());
    return text;
}

// `count` ranges of one byte, `step` bytes apart.
std::string many(int count, int step)
{
    std::string field = "bytes=";
    for (int i = 0; i < count; ++i) field += std::to_string(i * step) + "-" + std::to_string(i * step) + ",";
    return field;
}

// The examples of RFC 9110 section 14.1.2 and cases near them.
TEST(Range, One)
{
    EXPECT_EQ(asked("bytes=0-499"), "0-499");
    EXPECT_EQ(asked("bytes=500-999"), "500-999");
    EXPECT_EQ(asked("bytes=-500"), "9500-9999");
    EXPECT_EQ(asked("bytes=9500-"), "9500-9999");
    EXPECT_EQ(asked("bytes=0-"), "0-9999");
    EXPECT_EQ(asked("bytes=0-0"), "0-0");
    EXPECT_EQ(asked("bytes=-1"), "9999-9999");
    EXPECT_EQ(asked("bytes=9999-"), "9999-9999");
    EXPECT_EQ(asked("bytes=9000-10000"), "9000-9999");  // cut to the size
    EXPECT_EQ(asked("bytes=-10000"), "0-9999");
    EXPECT_EQ(asked("bytes=-10001"), "0-9999");
    EXPECT_EQ(asked("BYTES=007-8"), "7-8");  // section 14.1: units in either case
    EXPECT_EQ(asked("bytes= 1-2 "), "1-2");
}

TEST(Range, Several)
{
    EXPECT_EQ(asked("bytes=0-0,-1"), "0-0 9999-9999");
    EXPECT_EQ(asked("bytes= 0-999, 4500-5499, -1000"), "0-999 4500-5499 9000-9999");
    EXPECT_EQ(asked("bytes=,,3-4 ,\t, 1-1,"), "3-4 1-1");  // section 5.6.1.2
    EXPECT_EQ(asked("bytes=20-29,0-9,40-49"), "20-29 0-9 40-49");
    EXPECT_EQ(asked("bytes=20000-,5-6,-0"), "5-6");  // those that cannot be satisfied are left out
}

// RFC 9110 section 14.2 lets them be coalesced.
TEST(Range, OverlappingAndAdjacentOnesAreJoined)
{
    EXPECT_EQ(asked("bytes=500-600,601-999"), "500-999");
    EXPECT_EQ(asked("bytes=500-700,601-999"), "500-999");
    EXPECT_EQ(asked("bytes=601-999,500-600"), "500-999");
    EXPECT_EQ(asked("bytes=500-600,602-999"), "500-600 602-999");
    EXPECT_EQ(asked("bytes=0-99,10-20,0-99"), "0-99");
    EXPECT_EQ(asked("bytes=10-20,0-99"), "0-99");
    EXPECT_EQ(asked("bytes=50-59,0-9,70-79,60-69"), "50-79 0-9");
    EXPECT_EQ(asked("bytes=0-9,50-59,20-29,10-49"), "0-59");
    EXPECT_EQ(asked("bytes=5000-5001,0-9,20-29,40-49,5-45"), "5000-5001 0-49");
    EXPECT_EQ(asked("bytes=0-,-1"), "0-9999");
}

TEST(Range, Unsatisfiable)
{
    for (std::string_view field : {"bytes=10000-", "bytes=10000-10001", "bytes=-0", "bytes=20000-,-0,99999-100000",
                                   "bytes=18446744073709551615-", "bytes=99999999999999999999999-"})
        EXPECT_EQ(asked(field), "unsatisfiable") << field;
}

TEST(Range, AnEmptyRepresentationIsSentWhole)
{
    for (std::string_view field : {"bytes=0-", "bytes=-1", "bytes=0-0", "bytes=-0"})
        EXPECT_EQ(asked(field, 0), "whole") << field;
}

TEST(Range, WhatIsMalformedIsIgnored)
{
    for (std::string_view field :
         {"",           "bytes",      "bytes=",      "bytes=,",       "bytes=-",     "bytes=1",       "bytes=a-b",
          "bytes=1-a",  "bytes=2-1",  "bytes=--1",   "bytes=1--2",    "bytes=1-2-3", "bytes=+1-2",    "bytes=0x1-2",
          "bytes=1 -2", "bytes=1- 2", "bytes=- 1",   "bytes =1-2",    "bytes:1-2",   "byte=1-2",      "lines=1-2",
          "1-2",        "bytes=1-2;", "bytes=1-2,x", "bytes=1-2,2-1", "none",        "bytes=1-2 3-4", "bytes=\"1-2\""})
        EXPECT_EQ(asked(field), "whole") << field;
}

TEST(Range, TooManyAreIgnored)
{
    EXPECT_EQ(parse_range(many(16, 2), 10000).ranges.size(), 16U);
    EXPECT_EQ(asked(many(17, 2)), "whole");
    EXPECT_EQ(asked(many(64, 1)), "0-63");  // joined, they are one range
    EXPECT_EQ(asked(many(65, 1)), "whole");
    EXPECT_EQ(asked(many(63, 2) + "0-9000"), "0-9000");
}

TEST(Range, TheLargestNumbers)
{
    EXPECT_EQ(asked("bytes=18446744073709551614-", huge), "18446744073709551614-18446744073709551614");
    EXPECT_EQ(asked("bytes=0-99999999999999999999999", huge), "0-18446744073709551614");
    EXPECT_EQ(asked("bytes=-99999999999999999999999", huge), "0-18446744073709551614");
    EXPECT_EQ(asked("bytes=0-18446744073709551613,18446744073709551614-", huge), "0-18446744073709551614");
    EXPECT_EQ(http::content_range({huge - 1, 1}, huge).text(),
              "bytes 18446744073709551614-18446744073709551614/18446744073709551615");
}

// RFC 9110 section 14.4.
TEST(Range, ContentRange)
{
    EXPECT_EQ(http::content_range({42, 1192}, 1234).text(), "bytes 42-1233/1234");
    EXPECT_EQ(http::content_range({0, 1}, 1).text(), "bytes 0-0/1");
    EXPECT_EQ(http::unsatisfied_range(1234).text(), "bytes */1234");
    EXPECT_EQ(http::unsatisfied_range(huge).text(), "bytes */18446744073709551615");
}

// RFC 9110 section 14.6 and its example.
TEST(Range, MultipartFraming)
{
    const http::multipart_framing framing{"THIS_STRING_SEPARATES", "application/pdf", 8000};
    EXPECT_EQ(framing.response_type(), "multipart/byteranges; boundary=THIS_STRING_SEPARATES");
    EXPECT_EQ(
        framing.part_head({500, 500}),
        "\r\n--THIS_STRING_SEPARATES\r\nContent-Type: application/pdf\r\nContent-Range: bytes 500-999/8000\r\n\r\n");
    EXPECT_EQ(framing.closing_line(), "\r\n--THIS_STRING_SEPARATES--\r\n");
    const http::multipart_framing untyped{"b", "", 10};
    EXPECT_EQ(untyped.part_head({0, 1}), "\r\n--b\r\nContent-Range: bytes 0-0/10\r\n\r\n");
}

TEST(Range, TheLengthOfAMultipartBody)
{
    const std::vector<byte_range> ranges{{0, 1}, {9, 1}, {99, 1}, {123456, 7890}, {huge - 2, 1}};
    for (std::string_view type : {"", "text/plain; charset=utf-8"}) {
        const http::multipart_framing framing{"boundary", type, huge};
        std::uint64_t bytes = framing.closing_line().size();
        for (const byte_range& range : ranges) bytes += framing.part_head(range).size() + range.bytes;
        EXPECT_EQ(framing.body_bytes(ranges), bytes);
    }
}

}  // namespace
