// SPDX-License-Identifier: MIT
#include "http/access_log.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

#include "http/characters.hpp"
#include "http/date.hpp"

namespace http {
namespace {

constexpr std::string_view cut_mark = "...";

/// The length of a byte after escaping, in bytes.
std::size_t escaped_length(char c) noexcept { return is_log_char(c) ? 1 : 4; }

class line_writer {
  public:
    explicit line_writer(std::span<char> into) noexcept : into_(into) {}

    void plain(std::string_view text) noexcept { used_ += text.copy(into_.data() + used_, text.size()); }

    void number(std::uint64_t value) noexcept
    {
        std::array<char, 20> digits{};
        plain({digits.data(), std::to_chars(digits.begin(), digits.end(), value).ptr});
    }

    /// Writes the text escaped, or a dash if it is empty, in at most `room` bytes. REQUIRES: room >= 3.
    void escaped(std::string_view text, std::size_t room) noexcept
    {
        if (text.empty()) return plain("-");
        if (text.size() <= room && find_not_log_char(text) == text.size()) return plain(text);
        std::size_t length = 0;
        for (char c : text) length += escaped_length(c);
        const bool is_cut = length > room;
        const std::size_t end = used_ + room - (is_cut ? cut_mark.size() : 0);
        for (char c : text) {
            if (used_ + escaped_length(c) > end) break;
            put(c);
        }
        if (is_cut) plain(cut_mark);
    }

    [[nodiscard]] std::size_t used() const noexcept { return used_; }

  private:
    void put(char c) noexcept
    {
        constexpr std::string_view digits = "0123456789ABCDEF";
        if (escaped_length(c) == 1) return plain({&c, 1});
        const auto byte = static_cast<unsigned char>(c);
        plain("\\x");
        plain(digits.substr(byte >> 4, 1));
        plain(digits.substr(byte & 15, 1));
    }

    std::span<char> into_;
    std::size_t used_ = 0;
};

}  // namespace

std::string_view log_time::text(std::chrono::sys_seconds time) noexcept
{
    if (time != written_) {
        written_ = time;
        const date_text date = format_date(time);  // the same parts in another order
        const std::string_view parts(date.data(), date.size());
        line_writer line(text_);
        line.plain(parts.substr(5, 2));
        line.plain("/");
        line.plain(parts.substr(8, 3));
        line.plain("/");
        line.plain(parts.substr(12, 4));
        line.plain(":");
        line.plain(parts.substr(17, 8));
        line.plain(" +0000");
    }
    return {text_.data(), text_.size()};
}

std::size_t format_access(const access_entry& entry, std::span<char> into) noexcept
{
    // Reserve the least that each text needs and the most that the numbers may need, then give what remains to the
    // texts in their order. A long request line thus truncates the later texts, and they never truncate it.
    constexpr std::string_view widest = " - - [06/Nov/1994:08:49:37 +0000] \"\" 65535 18446744073709551615 \"\" \"\"\n";
    constexpr std::size_t client_room = 64;
    constexpr std::size_t least = 3;
    assert(into.size() >= 256 && entry.time.size() <= 26);
    std::size_t spare = into.size() - widest.size() - client_room - 3 * least;

    line_writer line(into);
    const auto text = [&](std::string_view what) {
        const std::size_t begin = line.used();
        line.escaped(what, spare + least);
        const std::size_t length = line.used() - begin;
        spare -= length > least ? length - least : 0;
    };

    line.escaped(entry.client, client_room);
    line.plain(" - - [");
    line.plain(entry.time);
    line.plain("] \"");
    text(entry.request_line);
    line.plain("\" ");
    line.number(number(entry.code));
    line.plain(" ");
    line.number(entry.body_bytes);
    line.plain(" \"");
    text(entry.referer);
    line.plain("\" \"");
    text(entry.user_agent);
    line.plain("\"\n");
    return line.used();
}

}  // namespace http
