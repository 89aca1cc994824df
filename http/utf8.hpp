// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace http {

/// The length in bytes of the character at the beginning of the text, by the table of RFC 3629 section 4: no overlong
/// forms, no surrogates, nothing above U+10FFFF. 0 if the text does not begin with a valid character. REQUIRES: the
/// text is not empty.
constexpr std::size_t utf8_character_bytes(std::string_view text) noexcept
{
    const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto continues = [byte](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const unsigned lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;

    const unsigned lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0xE0 || lead > 0xF4 || byte(1) < lowest || byte(1) > highest || !continues(2)) return 0;
    if (lead < 0xF0) return 3;
    return continues(3) ? 4 : 0;
}

}  // namespace http
