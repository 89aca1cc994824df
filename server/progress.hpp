// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "csp/core.hpp"
#include "server/settings.hpp"

namespace server {

/// Tells slow from stuck, for what is sent. The client must take something within every `stall`, and the least rate
/// must be kept on the whole; so a transfer of any length may go on as long as it goes on.
///
/// What the kernel takes from us is no measure of that: it buffers much, and has room again only when half of that is
/// gone, which a slow client needs minutes for. So once in every `stall`, be it silent or not, we ask how much of its
/// queue the client has taken meanwhile.
class progress {
  public:
    explicit progress(patience limits)
        : stall_(limits.stall), rate_(limits.least_rate), latest_(csp::core::here().now()), look_at_(latest_ + stall_)
    {
    }
    /// The kernel took so many bytes of us.
    void made(std::uint64_t bytes)
    {
        handed_ += bytes;
        latest_ = csp::core::here().now();
    }
    /// How long to wait for the kernel.
    [[nodiscard]] csp::time_point next_deadline() const { return latest_ + stall_; }

    /// Whether it is time to look, though the kernel still takes some now and then.
    [[nodiscard]] bool is_due() const { return latest_ >= look_at_; }

    /// That deadline has passed, or it is due, with so many bytes in the kernel's queue: whether to wait on. Yes the
    /// first time, since there is nothing yet to compare with.
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
        std::int64_t taken = 0;  // by the client, of what we handed; negative while answers before it are queued
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
