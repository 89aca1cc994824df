// SPDX-License-Identifier: MIT
#include "http/chunked.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace {

using namespace std::string_view_literals;
using http::chunked_decoder;
using http::limits;

// The result of decoding a body, which must not depend on how it was split.
struct decoded {
    std::string content;
    std::size_t consumed = 0;
    int refusal = 0;  // the status, or 0
    bool done = false;

    friend bool operator==(const decoded&, const decoded&) = default;
};

void feed(chunked_decoder& decoder, std::string_view input, const limits& limits, decoded& into)
{
    while (!input.empty() && !into.done && into.refusal == 0) {
        const auto piece = decoder.feed(input, limits);
        if (!piece) {
            into.refusal = http::number(piece.error().code);
            return;
        }
        ASSERT_GT(piece->consumed, 0U);
        into.content.append(piece->data.data(), piece->data.size());
        into.consumed += piece->consumed;
        into.done = piece->done;
        input.remove_prefix(piece->consumed);
    }
}

decoded decode(std::string_view text, const limits& limits = {})
{
    chunked_decoder whole;
    decoded result;
    feed(whole, text, limits, result);
    EXPECT_EQ(whole.content_bytes(), result.content.size());
    if (result.refusal != 0) result.consumed = 0;  // the position of an error depends on the split

    for (std::size_t at = 0; at <= text.size(); ++at) {
        chunked_decoder decoder;
        decoded parts;
        feed(decoder, text.substr(0, at), limits, parts);
        feed(decoder, text.substr(at), limits, parts);
        if (parts.refusal != 0) parts.consumed = 0;
        EXPECT_EQ(parts, result) << "split at " << at;
    }
    chunked_decoder decoder;
    decoded bytes;
    for (std::size_t at = 0; at < text.size(); ++at) feed(decoder, text.substr(at, 1), limits, bytes);
    if (bytes.refusal != 0) bytes.consumed = 0;
    EXPECT_EQ(bytes, result) << "byte by byte";
    return result;
}

TEST(Chunked, DecodesAndStopsAtTheEnd)
{
    const auto text = "4\r\nWiki\r\nB\r\npedia in\r\n \r\n0\r\n\r\n"sv;
    const decoded got = decode(text);
    EXPECT_TRUE(got.done);
    EXPECT_EQ(got.content, "Wikipedia in\r\n ");
    EXPECT_EQ(got.consumed, text.size());
    EXPECT_EQ(decode(std::string(text) + "GET / HTTP/1.1\r\n"), got);
}

struct body_case {
    std::string_view text;
    int refusal;
};

class Body : public testing::TestWithParam<body_case> {};

TEST_P(Body, IsJudged)
{
    const decoded got = decode(GetParam().text);
    EXPECT_EQ(got.refusal, GetParam().refusal);
    EXPECT_EQ(got.done, GetParam().refusal == 0);
}

// RFC 9112 section 7.1.
INSTANTIATE_TEST_SUITE_P(
    Sizes, Body,
    testing::Values(body_case{"0\r\n\r\n", 0}, body_case{"000\r\n\r\n", 0}, body_case{"1\r\na\r\n0\r\n\r\n", 0},
                    body_case{"0000000000000001\r\na\r\n0\r\n\r\n", 0},
                    body_case{"00000000000000001\r\na\r\n0\r\n\r\n", 400}, body_case{"1\rx", 400},
                    body_case{"\r\n", 400}, body_case{" 1\r\n", 400}, body_case{"1 \r\n", 400},
                    body_case{"+1\r\n", 400}, body_case{"-1\r\n", 400}, body_case{"0x1\r\n", 400},
                    body_case{"g\r\n", 400}, body_case{"1\n", 400}, body_case{"1\r\r\n", 400},
                    body_case{"1\r\na0\r\n", 400}, body_case{"1\r\na\n", 400}, body_case{"1\r\na\rb", 400},
                    body_case{"1\r\nab\r\n", 400}, body_case{"0\r\n(", 400}, body_case{"ffffffffffffffff\r\n", 413},
                    body_case{"8000000000000000\r\n", 413}, body_case{"1\r\na\r\nffffffffffffffff\r\n", 413},
                    body_case{"100001\r\n", 413}));

// Section 7.1.1.
INSTANTIATE_TEST_SUITE_P(Extensions, Body,
                         testing::Values(body_case{"0;a\r\n\r\n", 0}, body_case{"0;a=b;c=\"d\"\r\n\r\n", 0},
                                         body_case{"0;a=\"\"\r\n\r\n", 0}, body_case{"0;a=\"\\\";\\\\\"\r\n\r\n", 0},
                                         body_case{"0;a=\"\xE4\t\"\r\n\r\n", 0}, body_case{"0;\r\n\r\n", 400},
                                         body_case{"0;=a\r\n\r\n", 400}, body_case{"0;a=\r\n\r\n", 400},
                                         body_case{"0;a=b c\r\n\r\n", 400}, body_case{"0 ;a\r\n\r\n", 400},
                                         body_case{"0; a\r\n\r\n", 400}, body_case{"0;a \r\n\r\n", 400},
                                         body_case{"0;a=\"b\"c\r\n\r\n", 400}, body_case{"0;a=\"b\r\n\r\n", 400},
                                         body_case{"0;a=\"b\n\"\r\n\r\n", 400}, body_case{"0;a=\"\\\r\n\r\n", 400},
                                         body_case{"0;a\n\r\n", 400}, body_case{"0;a\0\r\n\r\n"sv, 400}));

// Section 7.1.2.
INSTANTIATE_TEST_SUITE_P(Trailers, Body,
                         testing::Values(body_case{"0\r\nA: b\r\n\r\n", 0}, body_case{"0\r\nA:\r\nB: c\r\n\r\n", 0},
                                         body_case{"0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n", 0},
                                         body_case{"0\r\nA\r\n\r\n", 400}, body_case{"0\r\n: b\r\n\r\n", 400},
                                         body_case{"0\r\nA : b\r\n\r\n", 400}, body_case{"0\r\n A: b\r\n\r\n", 400},
                                         body_case{"0\r\nA: b\r\n c\r\n\r\n", 400}, body_case{"0\r\nA: b\n\r\n", 400},
                                         body_case{"0\r\nA: b\rc\r\n\r\n", 400}, body_case{"0\r\nA: \0\r\n\r\n"sv, 400},
                                         body_case{"0\r\n\n", 400}, body_case{"0\r\n\rX", 400}));

TEST(Chunked, WaitsForMore)
{
    const auto text = "2;a=\"b\"\r\nab\r\n0\r\nA: b\r\n\r\n"sv;
    for (std::size_t size = 0; size < text.size(); ++size) {
        const decoded got = decode(text.substr(0, size));
        EXPECT_FALSE(got.done);
        EXPECT_EQ(got.refusal, 0);
    }
}

TEST(Chunked, Limits)
{
    limits small;
    small.body_bytes = 3;
    EXPECT_TRUE(decode("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", small).done);
    EXPECT_EQ(decode("1\r\na\r\n3\r\nbcd\r\n0\r\n\r\n", small).refusal, 413);
    EXPECT_EQ(decode("4\r\n", small).refusal, 413);
    // Extensions of all chunks together; each counts with the byte that ends it.
    small.chunk_extension_bytes = 4;
    EXPECT_TRUE(decode("1;a\r\nx\r\n0;b\r\n\r\n", small).done);
    EXPECT_EQ(decode("1;aa\r\nx\r\n0;b\r\n\r\n", small).refusal, 413);
    small.trailer_bytes = 8;
    EXPECT_TRUE(decode("0\r\nA:bc\r\n\r\n", small).done);
    EXPECT_EQ(decode("0\r\nA:bcd\r\n\r\n", small).refusal, 431);
}

TEST(Chunked, StaysAtItsError)
{
    chunked_decoder decoder;
    const auto first = decoder.feed("x"sv, {});
    ASSERT_FALSE(first);
    const auto second = decoder.feed("0\r\n\r\n"sv, {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), first.error());
}

TEST(Chunked, PrefixIsWhatTheDecoderTakes)
{
    EXPECT_EQ(http::chunk_prefix(1).text(), "1\r\n");
    EXPECT_EQ(http::chunk_prefix(0xBEEF).text(), "beef\r\n");
    EXPECT_EQ(http::chunk_prefix(~0ULL).text(), "ffffffffffffffff\r\n");
    std::string body;
    for (std::string_view content : {"a"sv, "some more content"sv}) {
        body += http::chunk_prefix(content.size()).text();
        body += content;
        body += http::chunk_suffix;
    }
    body += http::last_chunk;
    EXPECT_EQ(decode(body).content, "asome more content");
}

}  // namespace
