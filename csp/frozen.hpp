// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "csp/frame_pool.hpp"

namespace csp {

template <class T>
class frozen;

namespace detail {

template <class T>
struct counted_value : pooled {
    T value;
    std::uint32_t holders;
    counted_value(pooled /*base*/, T&& v, std::uint32_t h) : value(std::move(v)), holders(h) {}
};

}  // namespace detail

/// A value with all the memory that it needs to be frozen. One process alone holds it, so it may go to another core;
/// the process that freezes it there cannot fail.
template <class T>
class freezable {
  public:
    explicit freezable(T&& value) : memory_(new detail::counted_value<T>{{}, std::move(value), 1}) {}
    /// REQUIRES: this object was not moved from.
    T& operator*() { return memory_->value; }
    T* operator->() { return &memory_->value; }

  private:
    friend class frozen<T>;
    std::unique_ptr<detail::counted_value<T>> memory_;
};

/// An immutable value with a reference count, which several processes of one core may hold at the same time. The count
/// is not atomic, because all holders are on one core.
template <class T>
class frozen {
  public:
    frozen() = default;
    explicit frozen(T&& value) : shared_(new counted{{}, std::move(value), 1}) {}
    explicit frozen(freezable<T> value) noexcept : shared_(value.memory_.release()) {}
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
    using counted = detail::counted_value<T>;
    counted* shared_ = nullptr;  // whose value is accessible as const, except by sole()
};

}  // namespace csp
