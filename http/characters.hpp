// SPDX-License-Identifier: MIT
#pragma once

// The character classes of RFC 9110 and RFC 3986, and fast searches for the first byte that is not in a class. For use
// within http/.

#include <algorithm>
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

/// RFC 9110 section 5.6.2: tchar.
inline constexpr char_set token_chars{"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"};

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

/// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) noexcept
{
    if (is_digit(c)) return c - '0';
    const char lower = to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Control characters: C0, which includes CR, LF, NUL and the tab, and DEL.
constexpr bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// The bytes allowed in a field line: the tab, and everything that is not a control character (RFC 9110 section 5.5).
constexpr bool is_field_char(char c) noexcept { return !is_control(c) || c == '\t'; }

/// The characters allowed anywhere in a request target. RFC 3986 allows none of " # < > \ ^ ` { | } and brackets only
/// in a host, but browsers, which follow the WHATWG URL standard, leave some of these unencoded in paths and queries.
/// So only those are refused that browsers always encode, the # of a fragment, and everything that is not ASCII.
constexpr bool is_target_char(char c) noexcept
{
    return c > 0x20 && c < 0x7f && c != '"' && c != '#' && c != '<' && c != '>';
}

/// The further bytes allowed in a query: curl and other programs do not encode them there, and nginx accepts them too.
/// They are harmless, because no parser takes them for the end of the target.
constexpr bool is_lenient_query_char(char c) noexcept
{
    return c == '"' || c == '<' || c == '>' || static_cast<unsigned char>(c) >= 0x80;
}

/// The bytes written to the access log without escaping: printable ASCII except the quote and the backslash.
constexpr bool is_log_char(char c) noexcept { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

namespace detail {

/// The index of the first byte at or after `from` that is not `good`; the size of the text if there is none. `bad`
/// tests 16 bytes at once and returns FF for each that is not good.
template <class Bad, class Good>
std::size_t find_first_not(std::string_view text, std::size_t from, [[maybe_unused]] Bad bad, Good good) noexcept
{
#if defined(__SSE2__)
    while (text.size() >= 16 && from < text.size()) {
        // The last block overlaps the one before it: testing some bytes twice is cheaper than testing the remaining
        // bytes one by one.
        const std::size_t at = std::min(from, text.size() - 16);
        const auto found = static_cast<unsigned>(
            _mm_movemask_epi8(bad(_mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at)))));
        const unsigned ahead = found >> (from - at);
        if (ahead != 0) return from + static_cast<std::size_t>(std::countr_zero(ahead));
        from = at + 16;
    }
#endif
    while (from < text.size() && good(text[from])) ++from;
    return from;
}

#if defined(__SSE2__)
inline __m128i equal(__m128i bytes, char c) noexcept { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); }
inline __m128i either(__m128i a, __m128i b) noexcept { return _mm_or_si128(a, b); }
/// The comparison is signed, so bytes that are not ASCII are below the space too.
inline __m128i below(__m128i bytes, char c) noexcept { return _mm_cmplt_epi8(bytes, _mm_set1_epi8(c)); }
#endif

}  // namespace detail

/// The index of the first byte at or after `from` for which is_field_char() is false; the size of the text if there is
/// none.
inline std::size_t find_not_field_char(std::string_view text, std::size_t from) noexcept
{
    using namespace detail;
    constexpr auto bad = [](auto bytes) {
#if defined(__SSE2__)
        const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
        return either(_mm_andnot_si128(equal(bytes, '\t'), low), equal(bytes, 0x7f));
#else
        return bytes;
#endif
    };
    return find_first_not(text, from, bad, is_field_char);
}

/// The index of the first byte at or after `from` for which is_target_char() is false; the size of the text if there is
/// none.
inline std::size_t find_not_target_char(std::string_view text, std::size_t from) noexcept
{
    using namespace detail;
    constexpr auto bad = [](auto bytes) {
#if defined(__SSE2__)
        return either(
            either(below(bytes, 0x21), equal(bytes, 0x7f)),
            either(either(equal(bytes, '"'), equal(bytes, '#')), either(equal(bytes, '<'), equal(bytes, '>'))));
#else
        return bytes;
#endif
    };
    return find_first_not(text, from, bad, is_target_char);
}

/// The index of the first byte for which is_log_char() is false; the size of the text if there is none.
inline std::size_t find_not_log_char(std::string_view text) noexcept
{
    using namespace detail;
    constexpr auto bad = [](auto bytes) {
#if defined(__SSE2__)
        return either(either(below(bytes, 0x20), equal(bytes, 0x7f)), either(equal(bytes, '"'), equal(bytes, '\\')));
#else
        return bytes;
#endif
    };
    return find_first_not(text, 0, bad, is_log_char);
}

}  // namespace http
