// SPDX-License-Identifier: MIT
// Checks that the result of decoding does not depend on how the body was split, and that content survives encoding and
// decoding.

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "http/chunked.hpp"

namespace {

struct decoded {
    std::string content;
    std::size_t consumed = 0;
    std::string_view refusal;
    bool done = false;

    friend bool operator==(const decoded&, const decoded&) = default;
};

void check(bool condition)
{
    if (!condition) std::abort();
}

http::limits small_limits()
{
    http::limits limits;
    limits.body_bytes = 64;
    limits.chunk_extension_bytes = 16;
    limits.trailer_bytes = 32;
    return limits;
}

decoded decode(std::string_view text, const http::limits& limits, std::size_t longest_step)
{
    std::minstd_rand random(static_cast<std::uint32_t>(text.size() + 1));
    http::chunked_decoder decoder;
    decoded result;
    while (result.consumed < text.size() && !result.done) {
        const std::string_view input = text.substr(result.consumed, 1 + random() % longest_step);
        const auto piece = decoder.feed(input, limits);
        if (!piece) {
            result.refusal = piece.error().text;
            result.consumed = 0;  // the position of an error depends on the split
            break;
        }
        check(piece->consumed > 0 && piece->consumed <= input.size() && piece->data.size() <= piece->consumed);
        result.content.append(piece->data.data(), piece->data.size());
        result.consumed += piece->consumed;
        result.done = piece->done;
    }
    check(decoder.content_bytes() == result.content.size() && result.content.size() <= limits.body_bytes);
    return result;
}

std::string encode(std::string_view content)
{
    std::string body;
    for (std::size_t size = 1; !content.empty(); size = size * 2 + 1) {
        const std::string_view chunk = content.substr(0, size);
        body.append(http::chunk_prefix(chunk.size()).text()).append(chunk).append(http::chunk_suffix);
        content.remove_prefix(chunk.size());
    }
    return body.append(http::last_chunk);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const http::limits& limits : {http::limits{}, small_limits()}) {
        const decoded whole = decode(text, limits, text.size() + 1);
        check(decode(text, limits, 1) == whole);
        check(decode(text, limits, 7) == whole);
    }
    const std::string body = encode(text.substr(0, 1000));
    const decoded back = decode(body, {}, body.size() + 1);
    check(back.done && back.content == text.substr(0, 1000) && back.consumed == body.size());
    return 0;
}
