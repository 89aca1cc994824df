// SPDX-License-Identifier: MIT
#include "server/static_farm/compression.hpp"

#include <brotli/decode.h>
#include <cstdint>
#include <memory>
#include <zlib.h>
#include <zstd.h>

#include <fmt/core.h>
#include <gmock/gmock.h>

namespace server {
namespace {

using http::coding;

std::string gunzip(const std::string& coded, std::size_t size)
{
    std::string text(size + 1, '\0');
    z_stream z{};
    EXPECT_EQ(inflateInit2(&z, 15 + 16), Z_OK);  // the gzip format only
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(coded.data()));
    z.avail_in = static_cast<uInt>(coded.size());
    z.next_out = reinterpret_cast<Bytef*>(text.data());
    z.avail_out = static_cast<uInt>(text.size());
    EXPECT_EQ(inflate(&z, Z_FINISH), Z_STREAM_END);
    text.resize(z.total_out);
    inflateEnd(&z);
    return text;
}

std::string unbrotli(const std::string& coded, std::size_t size)
{
    std::string text(size + 1, '\0');
    std::size_t got = text.size();
    EXPECT_EQ(BrotliDecoderDecompress(coded.size(), reinterpret_cast<const std::uint8_t*>(coded.data()), &got,
                                      reinterpret_cast<std::uint8_t*>(text.data())),
              BROTLI_DECODER_RESULT_SUCCESS);
    text.resize(got);
    return text;
}

/// Decompresses as a browser does, with the smallest window that it must support.
std::string unzstd(const std::string& coded, std::size_t size)
{
    constexpr int longest_window = 23;
    const std::unique_ptr<ZSTD_DCtx, decltype([](ZSTD_DCtx* c) { ZSTD_freeDCtx(c); })> context(ZSTD_createDCtx());
    ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, longest_window);
    std::string text(size + 1, '\0');
    ZSTD_inBuffer from{.src = coded.data(), .size = coded.size(), .pos = 0};
    // Use small steps; with all output in one buffer the library would not need a window.
    ZSTD_outBuffer to{.dst = text.data(), .size = 0, .pos = 0};
    std::size_t left = 1;
    while (left != 0 && to.pos < text.size()) {
        to.size = std::min(text.size(), to.pos + 1000);
        left = ZSTD_decompressStream(context.get(), &to, &from);
        if (ZSTD_isError(left) != 0) {
            ADD_FAILURE() << ZSTD_getErrorName(left);
            return {};
        }
    }
    text.resize(to.pos);
    return text;
}

std::string decompress(coding c, const std::string& coded, std::size_t size)
{
    switch (c) {
        case coding::gzip:
            return gunzip(coded, size);
        case coding::brotli:
            return unbrotli(coded, size);
        case coding::zstd:
            return unzstd(coded, size);
        default:
            return coded;
    }
}

/// This many lines, all different.
std::string lines(std::size_t how_many)
{
    std::string text;
    for (std::size_t i = 0; i < how_many; ++i) text += fmt::format("<li>Line {}, whose square is {}.</li>\n", i, i * i);
    return text;
}

class Compression : public testing::TestWithParam<coding> {};
INSTANTIATE_TEST_SUITE_P(codings, Compression,
                         testing::Values(coding::identity, coding::gzip, coding::brotli, coding::zstd));

TEST_P(Compression, IsUndoneByItsDecoder)
{
    for (const std::size_t size : {0UL, 1UL, 10UL, 1000UL, 5000UL, 40'000UL}) {
        const std::string text = lines(size);
        const auto coded = compress(GetParam(), text);
        ASSERT_TRUE(coded.has_value()) << coded.error();
        EXPECT_TRUE(decompress(GetParam(), *coded, text.size()) == text) << size << " lines";
        if (size >= 10 && GetParam() != coding::identity) EXPECT_LT(coded->size(), text.size() / 2);
    }
}

TEST_P(Compression, TakesAnyBytes)
{
    std::string text;
    std::uint32_t state = 1;
    for (int i = 0; i < 100'000; ++i) text += static_cast<char>((state = state * 1664525U + 1013904223U) >> 24);
    const auto coded = compress(GetParam(), text);
    ASSERT_TRUE(coded.has_value()) << coded.error();
    EXPECT_TRUE(decompress(GetParam(), *coded, text.size()) == text);
}

TEST_P(Compression, AlwaysYieldsTheSameBytes)
{
    const std::string text = lines(1000);
    EXPECT_EQ(compress(GetParam(), text), compress(GetParam(), text));
}

TEST(CompressionByZstd, NeedsNoLongerWindowThanClientsHave)
{
    // The text must be longer than the largest window; otherwise its length would limit the window.
    const std::string text = lines(300) + std::string(20'000'000, ' ') + lines(300);
    const auto coded = compress(coding::zstd, text);
    ASSERT_TRUE(coded.has_value()) << coded.error();
    EXPECT_TRUE(unzstd(*coded, text.size()) == text);
}

TEST(CompressionByGzip, HasNoTimeInIt)
{
    const auto coded = compress(coding::gzip, "text");
    ASSERT_TRUE(coded.has_value()) << coded.error();
    EXPECT_EQ(coded->substr(4, 4), std::string(4, '\0'));
}

}  // namespace
}  // namespace server
