// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>

#include "io/list_link.hpp"

namespace io::detail {

/// The operations on one object for which the submission queue had no room, as a set of numbers that the engine
/// defines. It is a base class of the object, so that holding back an operation needs no memory: a cancellation must
/// not fail.
class held_back : public list_link<held_back> {
  public:
    [[nodiscard]] bool holds_any() const { return errands_ != 0; }
    void hold(unsigned errand) { errands_ = static_cast<std::uint16_t>(errands_ | 1U << errand); }
    /// The lowest number. REQUIRES: holds_any().
    [[nodiscard]] unsigned first() const { return static_cast<unsigned>(std::countr_zero(errands_)); }
    void drop_first() { errands_ = static_cast<std::uint16_t>(errands_ & (errands_ - 1U)); }

  private:
    std::uint16_t errands_ = 0;
};

}  // namespace io::detail
