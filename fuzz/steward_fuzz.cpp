// SPDX-License-Identifier: MIT
//
// What a server that was taken over may send to its steward.
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
        // What was understood can be said again.
        const auto again = server::steward_request::make(order->what, order->text, order->file);
        if (!again || again->what != order->what) std::abort();
    }
    (void)server::parse_inheritance(bytes);
    return 0;
}
