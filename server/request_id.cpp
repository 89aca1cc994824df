// SPDX-License-Identifier: MIT
#include "server/request_id.hpp"

#include <array>
#include <random>

#include <fmt/format.h>

namespace server {

connection_ids::connection_ids()
{
    std::random_device random;  // from the kernel
    const std::uint64_t high = random();
    last_.drawn = (high << 16 ^ random()) & 0xffff'ffff'ffff;
}

char* print(const request_id& id, char* to)
{
    return fmt::format_to(to, "{:012x}-{:x}-{:x}", id.connection.drawn, id.connection.number, id.request);
}

std::string to_string(const request_id& id)
{
    std::array<char, 46> room;
    return {room.data(), print(id, room.data())};
}

}  // namespace server
