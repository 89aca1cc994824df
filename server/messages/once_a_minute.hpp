// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "csp/core.hpp"

namespace server {

/// Counts something that may happen many times a second, and says when a line about it is due: at the first time, and
/// then at most once a minute.
class once_a_minute {
  public:
    void note() { ++unsaid_; }
    [[nodiscard]] bool is_due() const
    {
        constexpr std::chrono::minutes pause{1};
        return !said_at_ || csp::core::here().now() >= *said_at_ + pause;
    }
    /// How often it has happened since the last line.
    [[nodiscard]] std::uint64_t unsaid() const { return unsaid_; }
    /// A line about it is on its way.
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
