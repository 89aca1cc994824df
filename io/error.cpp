// SPDX-License-Identifier: MIT
#include "io/error.hpp"

namespace io {

error error::of(int number) noexcept
{
    switch (number) {
        case 0:
            return {};
        case past_deadline:
            return {number, "deadline passed"};
        case was_cancelled:
            return {number, "cancelled"};
        case was_closed:
            return {number, "closed"};
        default:
            break;
    }
    const char* const text = strerrordesc_np(number);
    return {number, text != nullptr ? text : "unknown error"};
}

}  // namespace io
