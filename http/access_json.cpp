// SPDX-License-Identifier: MIT
#include "http/access_json.hpp"

#include <array>
#include <charconv>

#include "http/json_text.hpp"

namespace http {
namespace {

constexpr std::size_t most_text = 4096;  // bytes of the target; the other texts are usually shorter
constexpr std::size_t most_of_others = 2048;

void append_number(std::string& to, std::uint64_t value)
{
    std::array<char, 20> digits{};
    to.append(digits.data(), std::to_chars(digits.begin(), digits.end(), value).ptr);
}

/// Appends the value, padded with leading zeros to `width` digits.
void append_digits(std::string& to, std::uint64_t value, std::size_t width)
{
    std::array<char, 20> digits{};
    const auto length =
        static_cast<std::size_t>(std::to_chars(digits.begin(), digits.end(), value).ptr - digits.data());
    to.append(width > length ? width - length : 0, '0').append(digits.data(), length);
}

void append_time(std::string& to, std::chrono::sys_time<std::chrono::milliseconds> when)
{
    const auto day = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(when - day);
    const auto two = [&](auto value, char before) {
        to.push_back(before);
        append_digits(to, static_cast<std::uint64_t>(value), 2);
    };
    append_digits(to, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
    two(static_cast<unsigned>(date.month()), '-');
    two(static_cast<unsigned>(date.day()), '-');
    two(time.hours().count(), 'T');
    two(time.minutes().count(), ':');
    two(time.seconds().count(), ':');
    to.push_back('.');
    append_digits(to, static_cast<std::uint64_t>(time.subseconds().count()), 3);
    to.push_back('Z');
}

struct request_line_parts {
    std::string_view method;
    std::string_view target;
    std::string_view protocol;
};

request_line_parts parts_of(std::string_view line)
{
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == last || first == 0 || !line.substr(last + 1).starts_with("HTTP/")) {
        return {.method = {}, .target = line, .protocol = {}};
    }
    return {line.substr(0, first), line.substr(first + 1, last - first - 1), line.substr(last + 1)};
}

}  // namespace

std::string rfc3339(std::chrono::sys_time<std::chrono::milliseconds> when)
{
    std::string text;
    append_time(text, when);
    return text;
}

void append_access_json(std::string& to, const access_record& record)
{
    const auto text = [&](std::string_view name, std::string_view value, std::size_t most = most_of_others) {
        to.append(name);
        append_json_text(to, value, most);
    };
    const request_line_parts asked = parts_of(record.request_line);
    to.append("{\"time\":\"");
    append_time(to, record.when);
    text("\",\"request_id\":", record.request_id);
    text(",\"remote_addr\":", record.client);
    text(",\"host\":", record.host);
    text(",\"site\":", record.site);
    text(",\"method\":", asked.method);
    text(",\"target\":", asked.target, most_text);
    text(",\"protocol\":", asked.protocol);
    to.append(",\"status\":");
    append_number(to, number(record.code));
    to.append(",\"bytes\":");
    append_number(to, record.body_bytes);
    to.append(record.complete ? ",\"complete\":true,\"duration\":" : ",\"complete\":false,\"duration\":");
    const auto micros = static_cast<std::uint64_t>(record.duration.count());
    append_number(to, micros / 1'000'000);
    to.push_back('.');
    append_digits(to, micros % 1'000'000, 6);
    text(",\"referer\":", record.referer);
    text(",\"user_agent\":", record.user_agent);
    to.append("}\n");
}

}  // namespace http
