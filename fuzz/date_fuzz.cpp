// SPDX-License-Identifier: MIT
// Checks that a parsed date, formatted and parsed again, is the same, and that every formatted time can be parsed.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "http/date.hpp"

namespace {

using std::chrono::sys_seconds;

constexpr sys_seconds now{std::chrono::seconds{1'780'000'000}};

void check(bool condition)
{
    if (!condition) std::abort();
}

void check_round_trip(sys_seconds time)
{
    const http::date_text text = http::format_date(time);
    const auto read = http::parse_date({text.data(), text.size()}, now);
    check(read.has_value());
    check(http::format_date(*read) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto time = http::parse_date(text, now)) {
        check_round_trip(*time);
        const http::date_text written = http::format_date(*time);
        if (size == written.size() && !text.contains(":60 ")) check(text == std::string_view(written.data(), size));
    }
    std::int64_t seconds = 0;
    if (size > 0) std::memcpy(&seconds, data, std::min(size, sizeof seconds));
    check_round_trip(sys_seconds{std::chrono::seconds{seconds}});
    return 0;
}
