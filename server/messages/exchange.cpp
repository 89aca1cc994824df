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

request_id id_of(const exchange_record& x)
{
    const auto* const http1 = std::get_if<http1_carrier>(&x.carrier);
    return http1 != nullptr ? http1->connection->present_request() : std::get<stream_carrier>(x.carrier).id;
}

}  // namespace server
