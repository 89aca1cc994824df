// SPDX-License-Identifier: MIT
#include "server/static_farm/compression.hpp"

#include <brotli/encode.h>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <zlib.h>
#include <zstd.h>

#include "csp/check.hpp"

namespace server {
namespace {

using coded = std::expected<std::string, std::string>;

constexpr std::size_t kib = 1024;

// The levels suit a text that is compressed once and sent many times. CPU time in ms and the resulting size in KiB, for
// pages and sources of this project on one core of a small virtual machine:
//
//                gzip 9        zstd 19       zstd 12       brotli 11     brotli 9      brotli 5
//     64 KiB     3 ->  17.5    14 ->  16.7    3 ->  17.2     79 ->  14.9  108 ->  16.7    2 ->  16.8
//    128 KiB     6 ->  33.5    44 ->  31.5    7 ->  32.6    170 ->  29.2  140 ->  31.9    4 ->  32.4
//      1 MiB    62 -> 237     380 -> 187     24 -> 202     1550 -> 180    168 -> 197     25 -> 205
//      2 MiB   104 -> 426     790 -> 335    204 -> 365                    265 -> 353     60 -> 366
//
// So use the best level up to 128 KiB, which covers nearly all pages, and above that a level that takes at most a sixth
// of a second per MiB. (The text mode of brotli did not help.)

coded gzip(std::string_view text)
{
    constexpr int level = 9;
    constexpr int memory_level = 9;
    constexpr int window_bits = 15 + 16;  // 16: with the header and trailer of gzip
    if (text.size() > std::numeric_limits<uInt>::max()) return std::unexpected("gzip: more than 4 GiB at once");
    z_stream z{};
    if (deflateInit2(&z, level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY) != Z_OK) {
        return std::unexpected("gzip: no memory");
    }
    const std::unique_ptr<z_stream, decltype([](z_stream* s) { deflateEnd(s); })> ended(&z);

    std::string into(deflateBound(&z, text.size()), '\0');
    // zlib only reads through this pointer, but declares it const only in some builds.
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(into.data());
    z.avail_out = static_cast<uInt>(into.size());
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) return std::unexpected("gzip: the text could not be compressed");
    into.resize(z.total_out);
    return into;
}

coded brotli(std::string_view text)
{
    const int quality = text.size() <= 128 * kib ? 11 : text.size() <= 1024 * kib ? 9 : 5;
    std::string into(BrotliEncoderMaxCompressedSize(text.size()), '\0');
    std::size_t size = into.size();
    const auto* const from = reinterpret_cast<const std::uint8_t*>(text.data());
    if (BrotliEncoderCompress(quality, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, text.size(), from, &size,
                              reinterpret_cast<std::uint8_t*>(into.data())) == BROTLI_FALSE) {
        return std::unexpected("brotli: the text could not be compressed");
    }
    into.resize(size);
    return into;
}

coded zstd(std::string_view text)
{
    constexpr int longest_window = 23;  // 8 MiB: clients need not support more (RFC 9659 section 3)
    const int level = text.size() <= 128 * kib ? 19 : 12;
    const std::unique_ptr<ZSTD_CCtx, decltype([](ZSTD_CCtx* c) { ZSTD_freeCCtx(c); })> context(ZSTD_createCCtx());
    if (context == nullptr) return std::unexpected("zstd: no memory");
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
    // Set explicitly, although no level used here exceeds it. A shorter text still gets a smaller window.
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, longest_window);

    std::string into(ZSTD_compressBound(text.size()), '\0');
    const std::size_t size = ZSTD_compress2(context.get(), into.data(), into.size(), text.data(), text.size());
    if (ZSTD_isError(size) != 0) return std::unexpected(std::string("zstd: ") + ZSTD_getErrorName(size));
    into.resize(size);
    return into;
}

}  // namespace

std::expected<std::string, std::string> compress(http::coding c, std::string_view text)
{
    switch (c) {
        case http::coding::identity:
            return std::string(text);
        case http::coding::gzip:
            return gzip(text);
        case http::coding::brotli:
            return brotli(text);
        case http::coding::zstd:
            return zstd(text);
    }
    std::unreachable();
}

}  // namespace server
