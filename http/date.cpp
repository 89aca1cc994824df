// SPDX-License-Identifier: MIT
#include "http/date.hpp"

#include <algorithm>
#include <cstddef>

#include "http/characters.hpp"

namespace http {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

constexpr std::array<std::string_view, 7> weekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr sys_seconds first_time = sys_days{std::chrono::year{0} / 1 / 1};
constexpr sys_seconds last_time = sys_days{std::chrono::year{10000} / 1 / 1} - std::chrono::seconds{1};

/// The values that all three forms contain, not yet checked against the calendar.
struct fields {
    unsigned weekday = 0;
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
};

/// Reads a text from left to right. After a mismatch every further read fails, so callers check once at the end.
class reader {
  public:
    explicit reader(std::string_view text) noexcept : rest_(text) {}

    void literal(std::string_view expected) noexcept
    {
        if (!rest_.starts_with(expected)) return fail();
        rest_.remove_prefix(expected.size());
    }

    int digits(std::size_t count) noexcept
    {
        if (rest_.size() < count || !std::ranges::all_of(rest_.substr(0, count), is_digit)) {
            fail();
            return 0;
        }
        int value = 0;
        for (char c : rest_.substr(0, count)) value = value * 10 + (c - '0');
        rest_.remove_prefix(count);
        return value;
    }

    /// asctime pads the day with a space.
    int day_padded() noexcept
    {
        if (!rest_.starts_with(' ')) return digits(2);
        rest_.remove_prefix(1);
        return digits(1);
    }

    unsigned month() noexcept
    {
        for (unsigned i = 0; i < months.size(); ++i)
            if (rest_.starts_with(months[i])) {
                literal(months[i]);
                return i + 1;
            }
        fail();
        return 0;
    }

    unsigned short_weekday() noexcept { return weekday(3); }
    unsigned long_weekday() noexcept { return weekday(std::string_view::npos); }

    void time_of_day(fields& into) noexcept
    {
        into.hour = digits(2);
        literal(":");
        into.minute = digits(2);
        literal(":");
        into.second = digits(2);
    }

    [[nodiscard]] bool matched_all() const noexcept { return !failed_ && rest_.empty(); }

  private:
    unsigned weekday(std::size_t letters) noexcept
    {
        for (unsigned i = 0; i < weekdays.size(); ++i)
            if (rest_.starts_with(weekdays[i].substr(0, letters))) {
                literal(weekdays[i].substr(0, letters));
                return i;
            }
        fail();
        return 0;
    }

    void fail() noexcept
    {
        failed_ = true;
        rest_ = {};
    }

    std::string_view rest_;
    bool failed_ = false;
};

/// Sun, 06 Nov 1994 08:49:37 GMT
std::optional<fields> read_imf(std::string_view text) noexcept
{
    reader in(text);
    fields f;
    f.weekday = in.short_weekday();
    in.literal(", ");
    f.day = static_cast<unsigned>(in.digits(2));
    in.literal(" ");
    f.month = in.month();
    in.literal(" ");
    f.year = in.digits(4);
    in.literal(" ");
    in.time_of_day(f);
    in.literal(" GMT");
    return in.matched_all() ? std::optional(f) : std::nullopt;
}

/// Sunday, 06-Nov-94 08:49:37 GMT
std::optional<fields> read_rfc850(std::string_view text, sys_seconds now) noexcept
{
    reader in(text);
    fields f;
    f.weekday = in.long_weekday();
    in.literal(", ");
    f.day = static_cast<unsigned>(in.digits(2));
    in.literal("-");
    f.month = in.month();
    in.literal("-");
    const int two_digits = in.digits(2);
    in.literal(" ");
    in.time_of_day(f);
    in.literal(" GMT");
    if (!in.matched_all()) return std::nullopt;

    // Choose the latest matching year that is not more than 50 years after now (RFC 9110 section 5.6.7).
    const std::chrono::year_month_day today(std::chrono::floor<days>(std::clamp(now, first_time, last_time)));
    const int latest = static_cast<int>(today.year()) + 50;
    f.year = latest - ((latest - two_digits) % 100 + 100) % 100;
    return f;
}

/// Sun Nov  6 08:49:37 1994
std::optional<fields> read_asctime(std::string_view text) noexcept
{
    reader in(text);
    fields f;
    f.weekday = in.short_weekday();
    in.literal(" ");
    f.month = in.month();
    in.literal(" ");
    f.day = static_cast<unsigned>(in.day_padded());
    in.literal(" ");
    in.time_of_day(f);
    in.literal(" ");
    f.year = in.digits(4);
    return in.matched_all() ? std::optional(f) : std::nullopt;
}

std::optional<sys_seconds> to_time(const fields& f) noexcept
{
    const std::chrono::year_month_day date{std::chrono::year{f.year}, std::chrono::month{f.month},
                                           std::chrono::day{f.day}};
    if (!date.ok()) return std::nullopt;
    const sys_days day{date};
    if (std::chrono::weekday{day}.c_encoding() != f.weekday) return std::nullopt;

    // Second 60 is a leap second, which can only be the last of a day. It is taken as the first second of the next day.
    const bool is_leap = f.hour == 23 && f.minute == 59 && f.second == 60;
    if (f.hour > 23 || f.minute > 59 || (f.second > 59 && !is_leap)) return std::nullopt;
    return day + std::chrono::hours{f.hour} + std::chrono::minutes{f.minute} + std::chrono::seconds{f.second};
}

/// Appends texts and numbers to a fixed buffer.
class writer {
  public:
    explicit writer(date_text& into) noexcept : next_(into.begin()) {}

    writer& text(std::string_view text) noexcept
    {
        next_ = std::ranges::copy(text, next_).out;
        return *this;
    }

    writer& number(int value, int width) noexcept
    {
        for (int i = width; i > 0; value /= 10) next_[--i] = static_cast<char>('0' + value % 10);
        next_ += width;
        return *this;
    }

  private:
    date_text::iterator next_;
};

}  // namespace

date_text format_date(sys_seconds time) noexcept
{
    time = std::clamp(time, first_time, last_time);
    const sys_days day = std::chrono::floor<days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);

    date_text text{};
    writer(text)
        .text(weekdays[std::chrono::weekday{day}.c_encoding()].substr(0, 3))
        .text(", ")
        .number(static_cast<int>(static_cast<unsigned>(date.day())), 2)
        .text(" ")
        .text(months[static_cast<unsigned>(date.month()) - 1])
        .text(" ")
        .number(static_cast<int>(date.year()), 4)
        .text(" ")
        .number(static_cast<int>(clock.hours().count()), 2)
        .text(":")
        .number(static_cast<int>(clock.minutes().count()), 2)
        .text(":")
        .number(static_cast<int>(clock.seconds().count()), 2)
        .text(" GMT");
    return text;
}

std::optional<sys_seconds> parse_date(std::string_view text, sys_seconds now) noexcept
{
    auto read = read_imf(text);
    if (!read) read = read_rfc850(text, now);
    if (!read) read = read_asctime(text);
    if (!read) return std::nullopt;
    return to_time(*read);
}

}  // namespace http
