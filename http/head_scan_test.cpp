// SPDX-License-Identifier: MIT
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "http/request.hpp"

namespace {

using http::head_scan;
using http::limits;
using http::status;

using answer = std::expected<std::optional<std::size_t>, http::error>;

const answer not_yet = std::nullopt;

// Feeds all of `text` in two steps, split before `at`; stops at the end of the head or at an error, as the server does.
answer feed_split(std::string_view text, std::size_t at, const limits& limits)
{
    head_scan scan;
    auto first = scan.feed(text.substr(0, at), limits);
    if (!first || *first) return first;
    return scan.feed(text, limits);
}

answer feed_bytes(std::string_view text, const limits& limits)
{
    head_scan scan;
    answer last;
    for (std::size_t size = 0; size <= text.size(); ++size) {
        // A copy for each step: the scan must not keep pointers into a buffer that may have moved.
        const std::string moved(text.substr(0, size));
        last = scan.feed(moved, limits);
        if (!last || *last) return last;
    }
    return last;
}

answer feed_all_ways(std::string_view text, const limits& limits = {})
{
    head_scan scan;
    const answer whole = scan.feed(text, limits);
    for (std::size_t at = 0; at <= text.size(); ++at)
        EXPECT_EQ(feed_split(text, at, limits), whole) << "split at " << at;
    EXPECT_EQ(feed_bytes(text, limits), whole);
    return whole;
}

// The status with which a head is refused, for every way to split it; 0 if it is accepted.
int refusal(std::string_view text, const limits& limits = {})
{
    const answer got = feed_all_ways(text, limits);
    return got ? 0 : http::number(got.error().code);
}

std::string head_of(std::size_t bytes)
{
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    head.append(bytes - head.size() - 4, 'x');
    return head + "\r\n\r\n";
}

TEST(HeadScan, FindsTheEndAndNothingAfterIt)
{
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    EXPECT_EQ(feed_all_ways(head), head.size());
    EXPECT_EQ(feed_all_ways(head + "GET /second"), head.size());
    EXPECT_EQ(feed_all_ways(head + std::string(40, '\0')), head.size());
    EXPECT_EQ(feed_all_ways("GET / HTTP/1.1\r\n\r\n"), 18U);
}

TEST(HeadScan, WaitsForMore)
{
    for (std::string_view text : {"", "\r", "\r\n", "\r\n\r\n", "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r",
                                  "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r"})
        EXPECT_EQ(feed_all_ways(text), not_yet) << testing::PrintToString(text);
}

// RFC 9112 section 2.2.
TEST(HeadScan, PassesOverTwoEmptyLines)
{
    EXPECT_EQ(feed_all_ways("\r\nGET / HTTP/1.1\r\n\r\n"), 20U);
    EXPECT_EQ(feed_all_ways("\r\n\r\nGET / HTTP/1.1\r\n\r\n"), 22U);
    EXPECT_EQ(refusal("\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n"), 400);
}

TEST(HeadScan, RefusesControlBytesAtOnce)
{
    using namespace std::string_view_literals;
    for (std::string_view text :
         {"\n"sv, "\r\r\n"sv, "\rG"sv, "\r\n\nGET"sv, "GET / HTTP/1.1\n"sv, "GET / HTTP/1.1\r\r\n"sv, "GET /\0"sv,
          "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n"sv, "GET / HTTP/1.1\r\nA: \x01"sv, "GET / HTTP/1.1\r\nA: \x7f"sv,
          "GET / HTTP/1.1\r\nA: a long value before the byte\x1f"sv, "GET / HTTP/1.1\r\nA: b\r\n\rX"sv,
          "GET / HTTP/1.1\r\nA: b\r\n\n"sv}) {
        EXPECT_EQ(refusal(text), 400) << testing::PrintToString(text);
    }
}

TEST(HeadScan, LeavesTabsAndObsTextToTheParser)
{
    EXPECT_TRUE(feed_all_ways("GET / HTTP/1.1\r\nA: \t\xE4\xFF b\r\n\r\n").value());
}

TEST(HeadScan, KnowsOtherProtocolsByTheirFirstByte)
{
    auto tls = feed_all_ways(std::string_view("\x16\x03\x01\x02\x00\x01", 6));
    ASSERT_FALSE(tls);
    EXPECT_EQ(tls.error(), (http::error{status::bad_request, "This port serves HTTP without TLS."}));
    for (std::string_view text : {" GET / HTTP/1.1", "\"", "\x80", "(", "/"}) EXPECT_FALSE(feed_all_ways(text)) << text;
}

TEST(HeadScan, HoldsTheRequestLineToItsLimit)
{
    limits small;
    small.method_bytes = 7;
    small.target_bytes = 20;  // so a line has at most 7 + 20 + 10 characters
    const std::string longest = "OPTIONS " + std::string(20, '/') + " HTTP/1.1";
    EXPECT_TRUE(feed_all_ways(longest + "\r\n\r\n", small).value());
    EXPECT_EQ(refusal(longest + "x", small), 414);
    EXPECT_EQ(refusal("OPTIONS " + std::string(100, '/'), small), 414);
    EXPECT_EQ(refusal(std::string(100, 'X') + " / HTTP/1.1\r\n\r\n", small), 501);
    // The first wrong byte decides.
    EXPECT_EQ(refusal("GET /\n" + std::string(100, '/'), small), 400);
    EXPECT_EQ(refusal("GET " + std::string(100, '/') + "\n", small), 414);
}

TEST(HeadScan, HoldsTheHeadToItsLimit)
{
    limits small;
    small.head_bytes = 64;
    EXPECT_EQ(feed_all_ways(head_of(64), small), 64U);
    EXPECT_EQ(refusal(head_of(65), small), 431);
    EXPECT_EQ(refusal(head_of(65).substr(0, 64), small), 431);
    EXPECT_EQ(feed_all_ways(head_of(64).substr(0, 63), small), not_yet);
}

TEST(HeadScan, TellsIdleFromStarted)
{
    head_scan scan;
    EXPECT_FALSE(scan.started());
    ASSERT_TRUE(scan.feed(std::string_view("\r\n"), {}));
    EXPECT_FALSE(scan.started());
    ASSERT_TRUE(scan.feed(std::string_view("\r\nG"), {}));
    EXPECT_TRUE(scan.started());
    scan.reset();
    EXPECT_FALSE(scan.started());
}

// Feeding byte by byte must take linear time: this test takes minutes if each call examines all bytes again.
TEST(HeadScan, NeverLooksBack)
{
    limits large;
    large.head_bytes = 1 << 22;
    const std::string head = head_of(large.head_bytes);
    head_scan scan;
    for (std::size_t size = 0; size < head.size(); ++size)
        ASSERT_EQ(scan.feed(std::string_view(head).substr(0, size), large), not_yet);
    EXPECT_EQ(scan.feed(head, large), head.size());
}

}  // namespace
