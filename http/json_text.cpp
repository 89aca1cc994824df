// SPDX-License-Identifier: MIT
#include "http/json_text.hpp"

#include <algorithm>
#include <cassert>

#include "http/characters.hpp"

namespace http {
namespace {

constexpr std::string_view cut_mark = "...";
constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

constexpr bool is_between(char c, unsigned char low, unsigned char high) noexcept
{
    return static_cast<unsigned char>(c) >= low && static_cast<unsigned char>(c) <= high;
}

// How many bytes the character at the beginning of the text has; 0 if that is not UTF-8 (RFC 3629, section 4).
std::size_t character_bytes(std::string_view text) noexcept
{
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t bytes = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (bytes < 2) return bytes;
    if (first > 0xF4 || text.size() < bytes) return 0;
    // Of the second byte, what would be a longer form of another character, a surrogate, or beyond the last is none.
    const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (!is_between(text[1], low, high)) return 0;
    for (const char c : text.substr(2, bytes - 2)) {
        if (!is_between(c, 0x80, 0xBF)) return 0;
    }
    return bytes;
}

void append_control(std::string& to, unsigned char code)
{
    constexpr std::string_view digits = "0123456789abcdef";
    to.append("\\u00");
    to.push_back(digits[code >> 4]);
    to.push_back(digits[code & 15]);
}

// Adds one character, of `bytes` bytes, or the replacement of a byte that belongs to none.
void append_character(std::string& to, std::string_view text, std::size_t bytes)
{
    const char c = text.front();
    if (bytes == 0) {
        to.append(replacement);
    } else if (bytes == 2 && c == '\xC2' && is_between(text[1], 0x80, 0x9F)) {
        append_control(to, static_cast<unsigned char>(text[1]));
    } else if (bytes > 1) {
        to.append(text.substr(0, bytes));
    } else if (is_control(c)) {
        append_control(to, static_cast<unsigned char>(c));
    } else {
        if (c == '"' || c == '\\') to.push_back('\\');
        to.push_back(c);
    }
}

}  // namespace

void append_json_text(std::string& to, std::string_view text, std::size_t most)
{
    assert(most >= 16);
    to.push_back('"');
    const std::size_t begin = to.size();
    if (text.size() <= most && find_not_log_char(text) == text.size()) {  // as nearly always
        to.append(text);
        text = {};
    }
    std::size_t cut_here = begin;  // the last place with room for the mark
    while (!text.empty()) {
        const std::size_t bytes = character_bytes(text);
        append_character(to, text, bytes);
        text.remove_prefix(std::max<std::size_t>(bytes, 1));
        const std::size_t used = to.size() - begin;
        if (used > most) {
            to.resize(cut_here);
            to.append(cut_mark);
            break;
        }
        if (most - used >= cut_mark.size()) cut_here = to.size();
    }
    to.push_back('"');
}

}  // namespace http
