// SPDX-License-Identifier: MIT
#include "http/response.hpp"

#include <array>
#include <charconv>
#include <cstring>

#include "http/characters.hpp"
#include "http/date.hpp"
#include "http/list.hpp"

namespace http {

void head_writer::put(std::string_view text) noexcept
{
    if (text.size() > into_.size() - used_) overflow_ = true;
    if (overflow_ || text.empty()) return;
    std::memcpy(into_.data() + used_, text.data(), text.size());
    used_ += text.size();
}

head_writer& head_writer::status_line(status code) noexcept
{
    std::array<char, 5> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), number(code)).ptr;
    put("HTTP/1.1 ");
    put({digits.data(), end});
    put(" ");
    put(reason_phrase(code));
    put("\r\n");
    return *this;
}

head_writer& head_writer::field(std::string_view name, std::string_view value) noexcept
{
    if (!is_token(name) || find_not_field_char(value, 0) != value.size()) {
        refused_ = true;
        return *this;
    }
    put(name);
    put(": ");
    put(value);
    put("\r\n");
    return *this;
}

head_writer& head_writer::field(std::string_view name, std::uint64_t value) noexcept
{
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
    return field(name, std::string_view(digits.data(), end));
}

head_writer& head_writer::date(std::chrono::sys_seconds now) noexcept
{
    const date_text text = format_date(now);
    return field("Date", std::string_view(text.data(), text.size()));
}

std::expected<std::size_t, error> head_writer::finish() noexcept
{
    put("\r\n");
    if (refused_)
        return std::unexpected(error{status::internal_server_error,
                                     "A response field contains a character that would split the response."});
    if (overflow_)
        return std::unexpected(error{status::internal_server_error, "The response head is longer than its buffer."});
    return used_;
}

}  // namespace http
