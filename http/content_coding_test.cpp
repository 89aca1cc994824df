// SPDX-License-Identifier: MIT
#include "http/content_coding.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace {

using http::all_codings;
using http::coding;
using http::coding_set;
using http::parse_accept_encoding;

coding chosen(std::optional<std::string_view> field, coding_set available = all_codings)
{
    return parse_accept_encoding(field).choose(available);
}

TEST(ContentCoding, Names)
{
    EXPECT_EQ(token(coding::gzip), "gzip");
    EXPECT_EQ(token(coding::brotli), "br");
    EXPECT_EQ(token(coding::zstd), "zstd");
    EXPECT_EQ(token(coding::identity), "");
    EXPECT_EQ(suffix(coding::gzip), ".gz");
    EXPECT_EQ(suffix(coding::brotli), ".br");
    EXPECT_EQ(suffix(coding::zstd), ".zst");
    EXPECT_EQ(suffix(coding::identity), "");
}

TEST(ContentCoding, Browsers)
{
    constexpr std::string_view firefox = "gzip, deflate, br, zstd";
    EXPECT_EQ(chosen(firefox), coding::brotli);
    EXPECT_EQ(chosen(firefox, {coding::identity, coding::gzip, coding::zstd}), coding::zstd);
    EXPECT_EQ(chosen(firefox, {coding::identity, coding::gzip}), coding::gzip);
    EXPECT_EQ(chosen(firefox, {coding::identity}), coding::identity);
    EXPECT_EQ(chosen("gzip, deflate"), coding::gzip);
    EXPECT_TRUE(parse_accept_encoding(firefox).permits(coding::identity));
}

// The fields that browsers send are compared as a whole; with a space after them they are parsed.
TEST(ContentCoding, WhatIsKnownByHeartIsWhatParsingYields)
{
    for (std::string_view field : {"gzip, deflate, br, zstd", "gzip, deflate, br", "gzip, deflate"})
        EXPECT_EQ(parse_accept_encoding(field), parse_accept_encoding(std::string(field) + " ")) << field;
}

// RFC 9110 section 12.5.3; its examples first.
TEST(ContentCoding, Chooses)
{
    struct row {
        std::optional<std::string_view> field;
        coding want;
    };
    for (const auto& [field, want] : {
             row{"compress, gzip", coding::gzip},
             row{"", coding::identity},
             row{"*", coding::brotli},
             row{"compress;q=0.5, gzip;q=1.0", coding::gzip},
             row{"gzip;q=1.0, identity; q=0.5, *;q=0", coding::gzip},
             row{std::nullopt, coding::identity},
             // Weights come before the server's order.
             row{"br;q=0.5, gzip", coding::gzip},
             row{"br;q=0.5, zstd;q=0.501, gzip;q=0.5", coding::zstd},
             row{"gzip;q=0.001", coding::gzip},
             row{"identity;q=0.5, gzip;q=0.4", coding::identity},
             row{"identity, gzip", coding::gzip},
             row{"identity;q=0.5, gzip;q=0.5", coding::gzip},
             // What is not named has the weight of *.
             row{"gzip, *;q=0.5", coding::gzip},
             row{"*, br;q=0", coding::zstd},
             row{"gzip;q=0.5, *", coding::brotli},
             row{"*;q=0, zstd", coding::zstd},
             // Refusals.
             row{"gzip;q=0", coding::identity},
             row{"br;q=0.0, gzip", coding::gzip},
             // Spelling: 8.4.1 in either case, 8.4.1.3 x-gzip.
             row{"GZip", coding::gzip},
             row{"x-gzip", coding::gzip},
             row{"BR;Q=1.000", coding::brotli},
             row{" ,, gzip\t;\tq=0.3 ,", coding::gzip},
             row{"gzip;q=0, x-gzip;q=0.2", coding::gzip},
             // Malformed elements do not count.
             row{"gzip;q=2", coding::identity},
             row{"gzip;q=", coding::identity},
             row{"gzip;level=9", coding::identity},
             row{"gzip;q=1;q=1", coding::identity},
             row{"gzip q=1", coding::identity},
             row{"br;q=0.1234, gzip;q=0.1", coding::gzip},
             row{"gzipped, b, brr, identit", coding::identity},
         })
        EXPECT_EQ(chosen(field), want) << field.value_or("(absent)");
}

TEST(ContentCoding, WhetherIdentityIsPermitted)
{
    for (std::string_view field : {"", "gzip", "gzip;q=0", "*", "*;q=0, identity;q=0.1", "*;q=0.1"})
        EXPECT_TRUE(parse_accept_encoding(field).permits(coding::identity)) << field;
    for (std::string_view field : {"identity;q=0", "*;q=0", "gzip, *;q=0", "*, identity;q=0", "gzip, identity;q=0.000"})
        EXPECT_FALSE(parse_accept_encoding(field).permits(coding::identity)) << field;
}

TEST(ContentCoding, NothingAcceptableIsSentPlain)
{
    EXPECT_EQ(chosen("*;q=0"), coding::identity);
    EXPECT_EQ(chosen("br, identity;q=0", {coding::identity, coding::gzip}), coding::identity);
    EXPECT_EQ(chosen("identity;q=0", {}), coding::identity);
    EXPECT_EQ(chosen("gzip, identity;q=0"), coding::gzip);
}

TEST(ContentCoding, Sets)
{
    coding_set set;
    for (coding c : {coding::identity, coding::gzip, coding::brotli, coding::zstd}) {
        EXPECT_FALSE(set.contains(c));
        set.add(c);
        EXPECT_TRUE(set.contains(c));
    }
    EXPECT_EQ(set, all_codings);
}

}  // namespace
