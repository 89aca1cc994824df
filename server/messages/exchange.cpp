// SPDX-License-Identifier: MIT
#include "server/messages/exchange.hpp"

#include <variant>

namespace server {

std::uint64_t bytes_of(const piece_content& c)
{
    if (const auto* const text = std::get_if<std::string>(&c)) return text->size();
    const auto* const of_page = std::get_if<page_part>(&c);
    return of_page != nullptr ? of_page->part.bytes : std::get<file_part>(c).part.bytes;
}

std::uint64_t response::content_bytes() const
{
    std::uint64_t bytes = 0;
    for (const segment& s : content) {
        const auto* text = std::get_if<std::string>(&s);
        bytes += text != nullptr ? text->size() : std::get<slice>(s).bytes;
    }
    return bytes;
}

void http1_carrier::enter_next_phase(server::connection& c)
{
    const auto* const closing = std::get_if<close>(&then);
    if (closing && !closing->lingers) {
        c.now.emplace<server::connection::over>();
    } else if (closing || (body && body->is_taken)) {
        c.now.emplace<server::connection::lingering>();
    } else {
        c.end_request();
        if (body) {
            c.input.consume(body->consumed);
            if (c.input.empty()) c.input.put(std::move(body->beyond));
        }
        if (body && !body->is_over) {
            c.now.emplace<server::connection::skipping_body>(body->rest);
        } else {
            c.now.emplace<server::connection::idle>();
        }
    }
}

}  // namespace server
