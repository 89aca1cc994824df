// SPDX-License-Identifier: MIT
#include "server/messages/request_id.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <random>
#include <string_view>

namespace server {
namespace {

char* print_hexadecimal(std::uint64_t number, char* to)
{
    constexpr int most_digits = 16;
    return std::to_chars(to, to + most_digits, number, 16).ptr;
}

}  // namespace

connection_ids::connection_ids()
{
    std::random_device random;  // from the kernel
    const std::uint64_t high = random();
    last_.drawn = (high << 16 ^ random()) & 0xffff'ffff'ffff;
}

char* print(const request_id& id, char* to)
{
    // Not with fmt, which is slower: every error response has an id.
    constexpr std::string_view digits = "0123456789abcdef";
    for (int shift = 44; shift >= 0; shift -= 4) *to++ = digits[id.connection.drawn >> shift & 15];
    *to++ = '-';
    to = print_hexadecimal(id.connection.number, to);
    *to++ = '-';
    return print_hexadecimal(id.request, to);
}

std::string to_string(const request_id& id)
{
    std::array<char, 46> room;
    return {room.data(), print(id, room.data())};
}

}  // namespace server
