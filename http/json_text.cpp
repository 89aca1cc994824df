// SPDX-License-Identifier: MIT
#include "http/json_text.hpp"

#include <algorithm>
#include <cassert>

#include "http/characters.hpp"
#include "http/utf8.hpp"

namespace http {
namespace {

constexpr std::string_view cut_mark = "...";
constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

void append_control(std::string& to, unsigned char code)
{
    constexpr std::string_view digits = "0123456789abcdef";
    to.append("\\u00");
    to.push_back(digits[code >> 4]);
    to.push_back(digits[code & 15]);
}

/// Appends one character of `bytes` bytes, or the replacement character for a byte that does not belong to any.
void append_character(std::string& to, std::string_view text, std::size_t bytes)
{
    const char c = text.front();
    if (bytes == 0) {
        to.append(replacement);
    } else if (bytes == 2 && c == '\xC2' && static_cast<unsigned char>(text[1]) <= 0x9F) {
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
    if (text.size() <= most && find_not_log_char(text) == text.size()) {  // the common case
        to.append(text);
        text = {};
    }
    std::size_t cut_here = begin;  // the last position that leaves room for the mark
    while (!text.empty()) {
        const std::size_t bytes = utf8_character_bytes(text);
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
