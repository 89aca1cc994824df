// SPDX-License-Identifier: MIT
#include "http/date.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

constexpr sys_seconds now = sys_days{2026y / 6 / 15};
constexpr sys_seconds example = sys_days{1994y / 11 / 6} + 8h + 49min + 37s;

std::string text_of(sys_seconds time)
{
    const auto text = http::format_date(time);
    return {text.data(), text.size()};
}

TEST(Date, Formats)
{
    EXPECT_EQ(text_of(example), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(text_of(sys_seconds{}), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(text_of(sys_seconds{-1s}), "Wed, 31 Dec 1969 23:59:59 GMT");
    EXPECT_EQ(text_of(sys_days{2024y / 2 / 29}), "Thu, 29 Feb 2024 00:00:00 GMT");
    EXPECT_EQ(text_of(sys_seconds::max()), "Fri, 31 Dec 9999 23:59:59 GMT");
    EXPECT_EQ(text_of(sys_seconds::min()), "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST(Date, ReadsWhatItWrites)
{
    for (sys_seconds time = sys_days{0y / 1 / 1}; time < sys_days{9999y / 12 / 31}; time += 123456789s) {
        const std::string text = text_of(time);
        EXPECT_EQ(http::parse_date(text, now), time) << text;
    }
}

// RFC 9110 section 5.6.7.
TEST(Date, ReadsTheThreeForms)
{
    EXPECT_EQ(http::parse_date("Sun, 06 Nov 1994 08:49:37 GMT", now), example);
    EXPECT_EQ(http::parse_date("Sunday, 06-Nov-94 08:49:37 GMT", now), example);
    EXPECT_EQ(http::parse_date("Sun Nov  6 08:49:37 1994", now), example);
    EXPECT_EQ(http::parse_date("Wed Nov 16 08:49:37 1994", now), example + 240h);
}

TEST(Date, TwoDigitYearsAreAtMostFiftyYearsAhead)
{
    EXPECT_EQ(http::parse_date("Wednesday, 01-Jan-76 00:00:00 GMT", now), sys_days{2076y / 1 / 1});
    EXPECT_EQ(http::parse_date("Saturday, 01-Jan-77 00:00:00 GMT", now), sys_days{1977y / 1 / 1});
    EXPECT_EQ(http::parse_date("Thursday, 01-Jan-26 00:00:00 GMT", now), sys_days{2026y / 1 / 1});
    EXPECT_EQ(http::parse_date("Friday, 01-Jan-99 00:00:00 GMT", now), sys_days{1999y / 1 / 1});
}

TEST(Date, ALeapSecondIsTheNextDaysFirst)
{
    EXPECT_EQ(http::parse_date("Sat, 31 Dec 2016 23:59:60 GMT", now), sys_days{2017y / 1 / 1});
    EXPECT_EQ(http::parse_date("Sat, 31 Dec 2016 22:59:60 GMT", now), std::nullopt);
    EXPECT_EQ(http::parse_date("Sat, 31 Dec 2016 23:59:61 GMT", now), std::nullopt);
}

TEST(Date, RefusesTheRest)
{
    for (std::string_view text : {"",
                                  "now",
                                  "0",
                                  "Sun, 06 Nov 1994 08:49:37",
                                  "Sun, 06 Nov 1994 08:49:37 UTC",
                                  "Sun, 06 Nov 1994 08:49:37 GMT ",
                                  " Sun, 06 Nov 1994 08:49:37 GMT",
                                  "Sun, 6 Nov 1994 08:49:37 GMT",
                                  "Sun, 06 nov 1994 08:49:37 GMT",
                                  "sun, 06 Nov 1994 08:49:37 GMT",
                                  "Sun, 06 Nov 94 08:49:37 GMT",
                                  "Sun 06 Nov 1994 08:49:37 GMT",
                                  "Sun, 06-Nov-1994 08:49:37 GMT",
                                  "Sun, 06 Nov 1994 8:49:37 GMT",
                                  "Sun, 06 Nov 1994 24:00:00 GMT",
                                  "Sun, 06 Nov 1994 08:60:00 GMT",
                                  "Sun, 00 Nov 1994 08:49:37 GMT",
                                  "Sun, 31 Nov 1994 08:49:37 GMT",
                                  "Wed, 29 Feb 2023 08:49:37 GMT",
                                  "Mon, 06 Nov 1994 08:49:37 GMT",
                                  "Sun, 06-Nov-94 08:49:37 GMT",
                                  "Monday, 06-Nov-94 08:49:37 GMT",
                                  "Sun Nov 6 08:49:37 1994",
                                  "Sun Nov  6 08:49:37 94",
                                  "Sun, 06 Nov -994 08:49:37 GMT",
                                  "Sun, +6 Nov 1994 08:49:37 GMT",
                                  "Sun, 06 Nov 1994 08.49.37 GMT"})
        EXPECT_EQ(http::parse_date(text, now), std::nullopt) << text;
}

TEST(Date, RefusesEachPrefix)
{
    for (std::string_view text :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"})
        for (std::size_t size = 0; size < text.size(); ++size)
            EXPECT_EQ(http::parse_date(text.substr(0, size), now), std::nullopt) << text.substr(0, size);
}

}  // namespace
