// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "csp/core.hpp"

namespace server {

/// Counts an event that may occur many times a second, and limits the log lines about it: the first occurrence is due
/// at once, and after that at most one line a minute.
class once_a_minute {
  public:
    void note() { ++unsaid_; }
    [[nodiscard]] bool is_due() const
    {
        constexpr std::chrono::minutes pause{1};
        return !said_at_ || csp::core::here().now() >= *said_at_ + pause;
    }
    /// The number of occurrences since the last line.
    [[nodiscard]] std::uint64_t unsaid() const { return unsaid_; }
    /// The caller has logged a line.
    void said()
    {
        said_at_ = csp::core::here().now();
        unsaid_ = 0;
    }

  private:
    std::uint64_t unsaid_ = 0;
    std::optional<csp::time_point> said_at_;
};

}  // namespace server
