// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <utility>

#include "csp/frame_pool.hpp"

namespace csp {

/// An immutable value with a reference count, which several processes of one core may hold at the same time. The count
/// is not atomic, because all holders are on one core.
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

    /// The value, which may be changed, if this is its only holder. Null otherwise.
    [[nodiscard]] T* sole() { return shared_ != nullptr && shared_->holders == 1 ? &shared_->value : nullptr; }

    explicit operator bool() const { return shared_ != nullptr; }
    const T& operator*() const { return shared_->value; }
    const T* operator->() const { return &shared_->value; }

  private:
    struct counted : pooled {
        T value;  // accessible as const, except by sole()
        std::uint32_t holders;
        counted(pooled /*base*/, T&& v, std::uint32_t h) : value(std::move(v)), holders(h) {}
    };
    counted* shared_ = nullptr;
};

}  // namespace csp
