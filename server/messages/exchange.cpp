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

connection::phase http1_carrier::next_phase() const
{
    if (const auto* const closing = std::get_if<close>(&then)) {
        if (closing->lingers) return connection::lingering();
        return connection::over();
    }
    if (const auto& body = std::get<keep_open>(then).body) return connection::skipping_body{.rest = *body};
    return connection::idle();
}

}  // namespace server
