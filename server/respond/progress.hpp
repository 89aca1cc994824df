// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "csp/core.hpp"
#include "server/configuration/settings.hpp"

namespace server {

/// Distinguishes slow from stalled clients while the server sends. The client must receive something within every
/// `stall`, and its average rate must not fall below the minimum; otherwise a transfer may take any time.
///
/// What the kernel accepts from us does not measure this: it buffers much, and accepts more only when half of that has
/// been sent, which takes a slow client minutes. So once in every `stall` we ask how much of the send queue the client
/// has acknowledged, whether the kernel accepted anything or not.
class progress {
  public:
    explicit progress(patience limits)
        : stall_(limits.stall), rate_(limits.least_rate), latest_(csp::core::here().now()), look_at_(latest_ + stall_)
    {
    }
    /// The kernel accepted this many bytes.
    void add_accepted(std::uint64_t bytes)
    {
        handed_ += bytes;
        latest_ = csp::core::here().now();
    }
    /// Call this before each part of a response that is made piece by piece. The time since the last call that sent
    /// something does not count, because the client did not delay the server then.
    void resume()
    {
        const csp::time_point now = csp::core::here().now();
        const csp::duration idle = now - latest_;
        latest_ = now;
        look_at_ += idle;
        if (first_) first_->at += idle;
    }
    /// The time until which to wait for the kernel.
    [[nodiscard]] csp::time_point next_deadline() const { return latest_ + stall_; }

    /// Whether it is time to call goes_on(), even though the kernel still accepts bytes now and then.
    [[nodiscard]] bool is_due() const { return latest_ >= look_at_; }

    /// Call this when the deadline has passed or is_due() is true, with the number of bytes in the send queue of the
    /// kernel. Returns whether to continue. The first call returns true, because there is nothing to compare with.
    [[nodiscard]] bool goes_on(std::uint64_t queued)
    {
        const csp::time_point now = csp::core::here().now();
        const look seen{now, static_cast<std::int64_t>(handed_) - static_cast<std::int64_t>(queued)};
        const look before = std::exchange(last_, seen).value_or(seen);
        const bool is_first = !first_;
        if (is_first) first_ = seen;
        latest_ = now;
        look_at_ = now + stall_;
        return is_first || (seen.taken > before.taken && keeps_rate(seen));
    }

  private:
    struct look {
        csp::time_point at;
        std::int64_t taken = 0;  // by the client, of what we sent; negative while earlier responses are queued
    };

    [[nodiscard]] bool keeps_rate(const look& seen) const
    {
        const auto bytes = static_cast<std::uint64_t>(seen.taken - first_->taken);
        return seen.at <= first_->at + stall_ + std::chrono::milliseconds(bytes * 1000 / rate_);
    }

    std::chrono::milliseconds stall_;
    std::uint64_t rate_;
    csp::time_point latest_;
    csp::time_point look_at_;
    std::uint64_t handed_ = 0;
    std::optional<look> first_;
    std::optional<look> last_;
};

}  // namespace server
