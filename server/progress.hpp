// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "csp/core.hpp"
#include "server/settings.hpp"

namespace server {

/// Tells slow from stuck. Something must get through within every `stall`, and after the first `stall` the least rate
/// must be kept on the whole; so a transfer of any length may go on as long as it goes on.
class progress {
  public:
    explicit progress(patience limits)
        : stall_(limits.stall), rate_(limits.least_rate), began_(csp::core::here().now()), latest_(began_)
    {
    }
    void made(std::uint64_t bytes)
    {
        bytes_ += bytes;
        latest_ = csp::core::here().now();
    }
    /// By when the next byte must have got through.
    [[nodiscard]] csp::time_point next_deadline() const
    {
        return std::min(latest_ + stall_, began_ + stall_ + std::chrono::milliseconds(bytes_ * 1000 / rate_));
    }

  private:
    std::chrono::milliseconds stall_;
    std::uint64_t rate_;
    csp::time_point began_;
    csp::time_point latest_;
    std::uint64_t bytes_ = 0;
};

}  // namespace server
