// SPDX-License-Identifier: MIT
//
// The steward's parsers of messages, which an attacker in the server could send.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "server/messages/steward_messages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = std::as_bytes(std::span(data, size));
    if (const auto order = server::parse_request(bytes)) {
        if (order->text.size() > server::steward_request::longest_text || order->text.contains('\0')) std::abort();
        // A valid request can be made from what was parsed.
        const auto again = server::steward_request::make(order->what, order->text, order->file);
        if (!again || again->what != order->what) std::abort();
    }
    (void)server::parse_inheritance(bytes);
    return 0;
}
