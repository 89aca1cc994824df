// SPDX-License-Identifier: MIT
#include "http/precondition.hpp"

#include <string_view>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using http::evaluate;
using http::method;
using http::outcome;
using http::preconditions;
using http::range_applies;
using http::validators;
using std::chrono::sys_days;

constexpr std::string_view an_hour_before = "Sun, 06 Nov 1994 07:49:37 GMT";
constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";  // of the representation
constexpr std::string_view a_second_after = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr std::string_view the_future = "Fri, 06 Nov 2026 08:49:37 GMT";
constexpr std::string_view same = R"("v1")";
constexpr std::string_view weak = R"(W/"v1")";
constexpr std::string_view other = R"("v0", "v2")";

constexpr std::chrono::sys_seconds modified = sys_days{1994y / 11 / 6} + 8h + 49min + 37s;
constexpr validators current{same, modified, sys_days{2026y / 6 / 15}};

struct row {
    preconditions given;
    outcome get;    // and HEAD
    outcome other;  // methods
};

void check(const row& r, const validators& validators, int line)
{
    EXPECT_EQ(evaluate(method::get, r.given, validators), r.get) << line;
    EXPECT_EQ(evaluate(method::head, r.given, validators), r.get) << line;
    EXPECT_EQ(evaluate(method::put, r.given, validators), r.other) << line;
    EXPECT_EQ(evaluate(method::options, r.given, validators), r.other) << line;
}

constexpr auto proceed = outcome::proceed;
constexpr auto not_modified = outcome::not_modified;
constexpr auto failed = outcome::failed;

TEST(Precondition, EachAlone)
{
    check({{}, proceed, proceed}, current, __LINE__);

    // RFC 9110 section 13.1.1: a strong comparison.
    check({{.if_match = same}, proceed, proceed}, current, __LINE__);
    check({{.if_match = "*"}, proceed, proceed}, current, __LINE__);
    check({{.if_match = weak}, failed, failed}, current, __LINE__);
    check({{.if_match = other}, failed, failed}, current, __LINE__);
    check({{.if_match = "v1"}, failed, failed}, current, __LINE__);
    check({{.if_match = ""}, failed, failed}, current, __LINE__);  // a list that names nothing
    check({{.if_match = " , ,"}, failed, failed}, current, __LINE__);
    check({{.if_match = R"(,, "v0",,"v1" ,)"}, proceed, proceed}, current, __LINE__);

    // 13.1.2: a weak one.
    check({{.if_none_match = same}, not_modified, failed}, current, __LINE__);
    check({{.if_none_match = "*"}, not_modified, failed}, current, __LINE__);
    check({{.if_none_match = weak}, not_modified, failed}, current, __LINE__);
    check({{.if_none_match = other}, proceed, proceed}, current, __LINE__);
    check({{.if_none_match = "v1"}, proceed, proceed}, current, __LINE__);
    check({{.if_none_match = ""}, proceed, proceed}, current, __LINE__);
    check({{.if_none_match = R"(, "v1",)"}, not_modified, failed}, current, __LINE__);

    // 13.1.3: ignored with other methods, and if it is no date.
    check({{.if_modified_since = an_hour_before}, proceed, proceed}, current, __LINE__);
    check({{.if_modified_since = date}, not_modified, proceed}, current, __LINE__);
    check({{.if_modified_since = "Sunday, 06-Nov-94 08:49:37 GMT"}, not_modified, proceed}, current, __LINE__);
    check({{.if_modified_since = a_second_after}, not_modified, proceed}, current, __LINE__);
    check({{.if_modified_since = the_future}, proceed, proceed}, current, __LINE__);
    check({{.if_modified_since = "yesterday"}, proceed, proceed}, current, __LINE__);
    check({{.if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT"}, proceed, proceed},
          current, __LINE__);

    // 13.1.4.
    check({{.if_unmodified_since = an_hour_before}, failed, failed}, current, __LINE__);
    check({{.if_unmodified_since = date}, proceed, proceed}, current, __LINE__);
    check({{.if_unmodified_since = the_future}, proceed, proceed}, current, __LINE__);
    check({{.if_unmodified_since = "yesterday"}, proceed, proceed}, current, __LINE__);
}

// RFC 9110 section 13.2.2.
TEST(Precondition, Precedence)
{
    // If-Match overrules If-Unmodified-Since, whether it is true or false.
    check({{.if_match = same, .if_unmodified_since = an_hour_before}, proceed, proceed}, current, __LINE__);
    check({{.if_match = other, .if_unmodified_since = date}, failed, failed}, current, __LINE__);
    // If-None-Match overrules If-Modified-Since.
    check({{.if_none_match = other, .if_modified_since = date}, proceed, proceed}, current, __LINE__);
    check({{.if_none_match = same, .if_modified_since = an_hour_before}, not_modified, failed}, current, __LINE__);
    check({{.if_none_match = "junk", .if_modified_since = date}, proceed, proceed}, current, __LINE__);
    check({{.if_none_match = "", .if_modified_since = date}, proceed, proceed}, current, __LINE__);
    check({{.if_match = "", .if_unmodified_since = date}, failed, failed}, current, __LINE__);
    // The first two come before the last two.
    check({{.if_match = same, .if_none_match = same}, not_modified, failed}, current, __LINE__);
    check({{.if_match = other, .if_none_match = same}, failed, failed}, current, __LINE__);
    check({{.if_none_match = same, .if_unmodified_since = an_hour_before}, failed, failed}, current, __LINE__);
    check({{.if_modified_since = date, .if_unmodified_since = date}, not_modified, proceed}, current, __LINE__);
    check({{.if_match = same, .if_modified_since = date}, not_modified, proceed}, current, __LINE__);
}

TEST(Precondition, ARepresentationWithoutValidators)
{
    const validators none{{}, {}, current.now};
    check({{.if_match = same}, failed, failed}, none, __LINE__);
    check({{.if_match = "*"}, proceed, proceed}, none, __LINE__);
    check({{.if_none_match = same}, proceed, proceed}, none, __LINE__);
    check({{.if_none_match = "*"}, not_modified, failed}, none, __LINE__);
    check({{.if_modified_since = date}, proceed, proceed}, none, __LINE__);
    check({{.if_unmodified_since = date}, proceed, proceed}, none, __LINE__);
    EXPECT_FALSE(range_applies(method::get, {.if_range = same, .range = "bytes=0-"}, none));
    EXPECT_FALSE(range_applies(method::get, {.if_range = date, .range = "bytes=0-"}, none));
}

// RFC 9110 section 13.1.5.
TEST(Precondition, IfRange)
{
    const auto applies = [](std::string_view if_range, const validators& validators = current) {
        return range_applies(method::get, {.if_range = if_range, .range = "bytes=0-"}, validators);
    };
    EXPECT_TRUE(applies(same));
    EXPECT_TRUE(applies(date));
    EXPECT_TRUE(applies("Sun Nov  6 08:49:37 1994"));
    for (std::string_view no :
         {std::string_view(), weak, other, std::string_view("\"v1\", \"v1\""), std::string_view("*"),
          std::string_view("v1"), an_hour_before, a_second_after, the_future})
        EXPECT_FALSE(applies(no)) << no;
    EXPECT_FALSE(applies(weak, {weak, modified, current.now}));

    // Several lines are neither a date nor a tag.
    EXPECT_FALSE(applies("Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT"));
    // Section 8.8.2.2: a date that was not sent, because it would not have been strong, belongs to another version.
    EXPECT_FALSE(applies(date, {same, {}, modified + 1h}));
    EXPECT_TRUE(applies(same, {same, {}, modified}));
}

// RFC 9110 section 8.8.2, with times that a test cannot give to a file.
TEST(LastModified, IsSentOnlyOnceItIsStrong)
{
    using std::chrono::nanoseconds;
    using std::chrono::sys_seconds;
    using std::chrono::system_clock;
    const auto at = [](auto time) { return system_clock::time_point(time); };
    const nanoseconds changed = modified.time_since_epoch() + 700ms;

    EXPECT_EQ(http::last_modified(changed, at(changed)), std::nullopt);
    EXPECT_EQ(http::last_modified(changed, at(changed + 299ms)), std::nullopt) << "the second of the change";
    EXPECT_EQ(http::last_modified(changed, at(changed + 319ms)), std::nullopt) << "its clock may be late";
    EXPECT_EQ(http::last_modified(changed, at(changed + 320ms)), modified);
    EXPECT_EQ(http::last_modified(changed, at(changed + 87600h)), modified);

    // If the clock is behind, the date is sent once the clock has reached it.
    EXPECT_EQ(http::last_modified(changed, at(changed - 1h)), std::nullopt);
    EXPECT_EQ(http::last_modified(changed, at(0s)), std::nullopt);

    const auto now = at(current.now.time_since_epoch());
    for (const nanoseconds none : {nanoseconds(0), nanoseconds(1), nanoseconds(1s), nanoseconds(24h - 1ns),
                                   nanoseconds(-1), nanoseconds(-1s), nanoseconds(-4'000'000'000s)})
        EXPECT_EQ(http::last_modified(none, now), std::nullopt) << none;
    EXPECT_EQ(http::last_modified(24h, now), sys_seconds(24h));
    EXPECT_EQ(http::last_modified(9'000'000'000s, now), std::nullopt);
    EXPECT_EQ(http::last_modified(nanoseconds::max(), now), std::nullopt);
    EXPECT_EQ(http::last_modified(nanoseconds::min(), now), std::nullopt);
}

TEST(Precondition, RangeIsForGetAlone)
{
    EXPECT_FALSE(range_applies(method::get, {}, current));
    EXPECT_FALSE(range_applies(method::get, {.if_range = same}, current));
    EXPECT_FALSE(range_applies(method::head, {.range = "bytes=0-"}, current));  // RFC 9110 section 14.2
    EXPECT_FALSE(range_applies(method::post, {.range = "bytes=0-"}, current));
}

}  // namespace
