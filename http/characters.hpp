// SPDX-License-Identifier: MIT
#pragma once

// The character classes of RFC 9110 and RFC 3986, and fast searches for the first byte outside one. For use within
// http/.

#include <array>
#include <cstddef>
#include <string_view>

#if defined(__SSE2__)
#include <bit>
#include <emmintrin.h>
#endif

namespace http {

class char_set {
  public:
    constexpr explicit char_set(std::string_view members)
    {
        for (char c : members) in_[static_cast<unsigned char>(c)] = true;
    }
    [[nodiscard]] constexpr bool contains(char c) const noexcept { return in_[static_cast<unsigned char>(c)]; }
    [[nodiscard]] constexpr bool contains_all(std::string_view text) const noexcept
    {
        for (char c : text)
            if (!contains(c)) return false;
        return true;
    }

  private:
    std::array<bool, 256> in_{};
};

// RFC 9110 section 5.6.2: tchar.
inline constexpr char_set token_chars{"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"};

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) noexcept
{
    if (is_digit(c)) return c - '0';
    const char lower = to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// C0 and DEL. CR, LF and NUL are among them; so is the tab.
constexpr bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// What may stand in a line of fields: anything but control bytes, and the tab (RFC 9110 section 5.5).
constexpr bool is_field_char(char c) noexcept { return !is_control(c) || c == '\t'; }

// What may stand in a request target. RFC 3986 has no place for  " # < > \ ^ ` { | }  and brackets outside a host; but
// browsers, which follow the WHATWG URL standard, leave some of these as they are in paths and queries. Refused are
// those which they always encode, a fragment's #, and all that is not ASCII.
constexpr bool is_target_char(char c) noexcept
{
    return c > 0x20 && c < 0x7f && c != '"' && c != '#' && c != '<' && c != '>';
}

// The index of the first byte at or after `from` which is no field char; the text's size if there is none.
inline std::size_t find_not_field_char(std::string_view text, std::size_t from) noexcept
{
#if defined(__SSE2__)
    for (; text.size() - from >= 16; from += 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
        const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
        const int found = _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
        if (found != 0) return from + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(found)));
    }
#endif
    while (from < text.size() && is_field_char(text[from])) ++from;
    return from;
}

// The index of the first byte at or after `from` which is no target char; the text's size if there is none.
inline std::size_t find_not_target_char(std::string_view text, std::size_t from) noexcept
{
#if defined(__SSE2__)
    for (; text.size() - from >= 16; from += 16) {
        // Compared as signed, bytes beyond ASCII are below the space.
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
        const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x21));
        const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
        const __m128i quote_or_hash =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('#')));
        const __m128i angle =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('<')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('>')));
        const int found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, del), _mm_or_si128(quote_or_hash, angle)));
        if (found != 0) return from + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(found)));
    }
#endif
    while (from < text.size() && is_target_char(text[from])) ++from;
    return from;
}

}  // namespace http
