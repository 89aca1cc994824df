// SPDX-License-Identifier: MIT
// Checks that ranges lie within the size, are disjoint and cover what was requested, and that a multipart body has the
// length that its framing computes.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "http/range.hpp"

namespace {

using http::byte_range;
using http::range_answer;

void check(bool condition)
{
    if (!condition) std::abort();
}

bool touch(const byte_range& a, const byte_range& b)
{
    return std::max(a.first, b.first) <= std::min(a.first + a.bytes, b.first + b.bytes);
}

void check_ranges(const http::range_list& ranges, std::uint64_t size)
{
    check(ranges.size() > 0 && ranges.size() <= http::max_ranges);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        const byte_range& range = ranges[i];
        check(range.bytes > 0 && range.first < size && range.bytes <= size - range.first);
        for (std::size_t j = 0; j < i; ++j) check(!touch(range, ranges[j]));
        sum += range.bytes;
    }
    check(ranges.bytes() == sum && sum <= size);
}

// A parsed field, written out again, must parse to the same.
void check_round_trip(const http::range_list& ranges, std::uint64_t size)
{
    std::string field = "bytes=";
    for (const byte_range& range : ranges)
        field.append(std::to_string(range.first)).append("-").append(std::to_string(range.last())).append(", ");
    const auto again = http::parse_range(field, size);
    check(again.answer == range_answer::parts && std::ranges::equal(again.ranges, ranges));
}

void check_framing(const http::range_list& ranges, std::uint64_t size, std::string_view content_type)
{
    const http::multipart_framing framing{"0123456789abcdef", content_type, size};
    std::uint64_t sum = framing.closing_line().size();
    for (const byte_range& range : ranges) sum += framing.part_head(range).size() + range.bytes;
    // Leave room for the framing of 16 parts, because the content may reach up to the largest number.
    check(framing.body_bytes(ranges) == sum);
}

// A byte must be in the answer if and only if a range of the field contains it. Checked byte by byte, for small sizes.
void check_same_bytes(std::string_view field, const http::range_list& ranges, std::uint64_t size)
{
    for (const byte_range& range : ranges) {
        for (std::uint64_t at : {range.first, range.last()}) {
            bool asked = false;
            for (std::string_view rest = field.substr(6); !asked && !rest.empty();) {
                const std::size_t comma = std::min(rest.find(','), rest.size());
                const auto one = http::parse_range("bytes=" + std::string(rest.substr(0, comma)), size);
                for (const byte_range& written : one.ranges) asked |= at - written.first < written.bytes;
                rest.remove_prefix(std::min(comma + 1, rest.size()));
            }
            check(asked);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
    std::string_view text(reinterpret_cast<const char*>(data), bytes);
    std::uint64_t random_size = 0;
    std::memcpy(&random_size, data, std::min(bytes, sizeof random_size));
    const std::string prefixed = "bytes=" + std::string(text);
    for (const std::string_view field : {text, std::string_view(prefixed)}) {
        for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, random_size, ~0UL}) {
            const auto asked = http::parse_range(field, size);
            if (asked.answer != range_answer::parts) {
                check(asked.ranges.size() == 0);
                continue;
            }
            check_ranges(asked.ranges, size);
            check_round_trip(asked.ranges, size);
            check_same_bytes(field, asked.ranges, size);
            check_framing(asked.ranges, size, text.substr(0, bytes % 3));
            const std::string value(http::content_range(asked.ranges[0], size).text());
            check(value.size() <= 68 && value.ends_with("/" + std::to_string(size)));
        }
    }
    return 0;
}
