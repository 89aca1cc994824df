// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <string_view>

#include "csp/core.hpp"

namespace io {

/// The time by which a call must have made progress.
using deadline = csp::time_point;
inline constexpr deadline no_deadline = deadline::max();

/// An error of a call: an errno, or one of three numbers below zero.
struct [[nodiscard]] error {
    int number = 0;
    std::string_view text;  // static

    static constexpr int past_deadline = -1;
    static constexpr int was_cancelled = -2;
    static constexpr int was_closed = -3;

    [[nodiscard]] static error of(int number) noexcept;
    [[nodiscard]] static error of_errno() noexcept { return of(errno); }

    /// Whether the call's own deadline has passed. The kernel's ETIMEDOUT (the peer no longer responds) is a different
    /// error.
    [[nodiscard]] bool timed_out() const { return number == past_deadline; }
    [[nodiscard]] bool cancelled() const { return number == was_cancelled; }
    /// Whether the peer or the source of events is gone.
    [[nodiscard]] bool closed() const { return number == was_closed || number == EPIPE || number == ECONNRESET; }
    [[nodiscard]] bool operator==(const error& other) const { return number == other.number; }
};

template <class T>
using result = std::expected<T, error>;

}  // namespace io
