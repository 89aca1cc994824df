// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <utility>

#include "csp/frame_pool.hpp"

namespace csp {

/// A value that nobody can change any more, and so the only thing that several processes may hold at once. Copies
/// count; the count is not atomic, because all holders live on one core.
template <class T>
class frozen {
  public:
    frozen() = default;
    explicit frozen(T&& value) : shared_(new counted{{}, std::move(value), 1}) {}
    frozen(const frozen& other) noexcept : shared_(other.shared_)
    {
        if (shared_ != nullptr) ++shared_->holders;
    }
    frozen(frozen&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    frozen& operator=(frozen other) noexcept
    {
        std::swap(shared_, other.shared_);
        return *this;
    }
    ~frozen()
    {
        if (shared_ != nullptr && --shared_->holders == 0) delete shared_;
    }

    /// The value, to be changed, if nobody else holds it: what one process alone holds is not shared. Null otherwise.
    [[nodiscard]] T* sole() { return shared_ != nullptr && shared_->holders == 1 ? &shared_->value : nullptr; }

    explicit operator bool() const { return shared_ != nullptr; }
    const T& operator*() const { return shared_->value; }
    const T* operator->() const { return &shared_->value; }

  private:
    struct counted : pooled {
        T value;  // handed out as const but for sole()
        std::uint32_t holders;
        counted(pooled /*base*/, T&& v, std::uint32_t h) : value(std::move(v)), holders(h) {}
    };
    counted* shared_ = nullptr;
};

}  // namespace csp
