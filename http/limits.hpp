// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace http {

/// The number of fields that a request_head can hold. A larger limits::fields has the effect of this number.
inline constexpr std::size_t max_fields = 128;

/// Limits on a request. A request that exceeds one is refused with the status given beside it.
struct limits {
    std::size_t method_bytes = 32;             // length of the method: 501
    std::size_t target_bytes = 8 * 1024;       // length of the target as sent: 414
    std::size_t head_bytes = 16 * 1024;        // request line, fields and empty line together: 431
    std::size_t fields = 100;                  // number of field lines: 431
    std::uint64_t body_bytes = 1024 * 1024;    // content, after decoding: 413
    std::size_t chunk_extension_bytes = 4096;  // extensions of all chunks of a body together: 413
    std::size_t trailer_bytes = 8 * 1024;      // the trailer section of a chunked body: 431
};

}  // namespace http
