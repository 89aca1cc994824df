// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace http {

// How many fields a request_head has room for; limits::fields beyond it count as this many.
inline constexpr std::size_t max_fields = 128;

// How much of a client's message is read before it is refused. Each limit names the status that tells of it.
struct limits {
    std::size_t method_bytes = 32;             // the method's token: 501
    std::size_t target_bytes = 8 * 1024;       // the target as sent: 414
    std::size_t head_bytes = 16 * 1024;        // request line, fields and empty line together: 431
    std::size_t fields = 100;                  // field lines: 431
    std::uint64_t body_bytes = 1024 * 1024;    // content, after decoding: 413
    std::size_t chunk_extension_bytes = 4096;  // extensions of all chunks of a body together: 413
    std::size_t trailer_bytes = 8 * 1024;      // the trailer section of a chunked body: 431
};

}  // namespace http
