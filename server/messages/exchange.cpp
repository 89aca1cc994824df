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

void http1_carrier::enter_next_phase(server::connection& c) const
{
    if (const auto* const open = std::get_if<keep_open>(&then)) {
        if (open->body) {
            c.now.emplace<server::connection::skipping_body>(*open->body);
        } else {
            c.now.emplace<server::connection::idle>();
        }
    } else if (std::get<close>(then).lingers) {
        c.now.emplace<server::connection::lingering>();
    } else {
        c.now.emplace<server::connection::over>();
    }
}

}  // namespace server
