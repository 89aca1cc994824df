// SPDX-License-Identifier: MIT
#include "server/messages/exchange.hpp"

#include <variant>

namespace server {
std::uint64_t response::content_bytes() const
{
    std::uint64_t bytes = 0;
    for (const segment& s : content) {
        const auto* text = std::get_if<std::string>(&s);
        bytes += text != nullptr ? text->size() : std::get<slice>(s).bytes;
    }
    return bytes;
}

}  // namespace server
