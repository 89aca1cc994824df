// SPDX-License-Identifier: MIT
#include "http/accept.hpp"

#include <string_view>

#include <gtest/gtest.h>

#include "http/weight.hpp"

namespace {

using http::acceptance_of;
using http::parse_qvalue;
using http::parse_weight;
using http::prefers_json;

// RFC 9110 section 12.4.2.
TEST(Weight, Reads)
{
    EXPECT_EQ(parse_qvalue("1"), 1000);
    EXPECT_EQ(parse_qvalue("1."), 1000);
    EXPECT_EQ(parse_qvalue("1.000"), 1000);
    EXPECT_EQ(parse_qvalue("0"), 0);
    EXPECT_EQ(parse_qvalue("0."), 0);
    EXPECT_EQ(parse_qvalue("0.5"), 500);
    EXPECT_EQ(parse_qvalue("0.05"), 50);
    EXPECT_EQ(parse_qvalue("0.001"), 1);
    EXPECT_EQ(parse_qvalue("0.999"), 999);
    for (std::string_view text :
         {"", ".", ".5", "2", "1.001", "0.0001", "1.0000", "0,5", "-0", "+1", "00", "01", "0.5 ", "0.x", "1e0", "10"})
        EXPECT_EQ(parse_qvalue(text), std::nullopt) << text;
    EXPECT_EQ(parse_weight("q=0.5"), 500);
    EXPECT_EQ(parse_weight("Q=0.5"), 500);
    for (std::string_view text : {"", "q", "q=", "q =1", "q= 1", "qs=1", "v=1"})
        EXPECT_EQ(parse_weight(text), std::nullopt) << text;
}

// The example of RFC 9110 section 12.5.1, but for its types with parameters.
TEST(Accept, TheMostSpecificRangeCounts)
{
    constexpr std::string_view accept =
        "text/*;q=0.3, text/plain;q=0.7, text/plain;format=fixed;q=0.4, */*;q=0.5, application/json ; v=\"1,2;q=0\"";
    EXPECT_EQ(acceptance_of(accept, "text/plain").quality, 700);
    EXPECT_EQ(acceptance_of(accept, "text/html").quality, 300);
    EXPECT_EQ(acceptance_of(accept, "image/jpeg").quality, 500);
    EXPECT_EQ(acceptance_of(accept, "application/json").quality, 1000);
    EXPECT_EQ(acceptance_of("text/plain", "text/html").quality, 0);
    EXPECT_EQ(acceptance_of("TEXT/Html;Q=0.1", "text/html").quality, 100);
    EXPECT_EQ(acceptance_of("text/html;q=x, te/*, */html, text/htm", "text/html").quality, 0);
}

TEST(Accept, WhoPrefersJson)
{
    for (std::string_view accept :
         {"application/json", "Application/JSON", "application/json, text/plain, */*", "application/*",
          "application/json;q=0.1", "text/html;q=0.9, application/json", "application/json;charset=utf-8",
          "*/*;q=0.5, application/json", "text/html;q=0, */*", "application/json, text/*;q=0.9", ",, application/json",
          "application/json;v=\";q=0;\""})
        EXPECT_TRUE(prefers_json(accept)) << accept;
    for (std::string_view accept :
         {"", "*/*", "text/html", "application/json, text/html", "text/html, application/json;q=0.9", "text/*",
          "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json;q=0",
          "application/json;q=0, text/html;q=0", "application/json;q=0.5, */*", "image/png", "application/jsonx",
          "text/*, application/*", "x=\"application/json\"", "text/plain;v=\",application/json,\"", "\"", "\"\\"})
        EXPECT_FALSE(prefers_json(accept)) << accept;
}

}  // namespace
