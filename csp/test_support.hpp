// SPDX-License-Identifier: MIT
//
// What the tests of processes share.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "csp/test_kernel.hpp"

namespace csp {

/// Runs `test(seed)` under `how_many` seeds, up to the first that fails, which is then named.
template <class Test>
void for_seeds(std::uint64_t how_many, Test test)
{
    for (std::uint64_t seed = 1; seed <= how_many; ++seed) {
        const testing::ScopedTrace trace(__FILE__, __LINE__, "seed " + std::to_string(seed));
        test(seed);
        if (testing::Test::HasFailure()) return;
    }
}

/// A message that knows whether every one that was made has been destroyed: moving one empties it, and only a full
/// one counts.
class counted {
  public:
    explicit counted(int value) : value_(value), full_(true) { ++alive_; }
    counted(counted&& other) noexcept : value_(other.value_), full_(std::exchange(other.full_, false)) {}
    counted& operator=(counted&& other) noexcept
    {
        if (this != &other) {
            if (full_) --alive_;
            value_ = other.value_;
            full_ = std::exchange(other.full_, false);
        }
        return *this;
    }
    ~counted()
    {
        if (full_) --alive_;
    }
    [[nodiscard]] int value() const { return value_; }
    [[nodiscard]] bool full() const { return full_; }
    [[nodiscard]] static int alive() { return alive_; }

  private:
    inline static int alive_ = 0;
    int value_;
    bool full_;
};

/// Where the processes of a test write what they saw. A process may only be given what it owns; a test that runs on
/// one thread and outlives its processes hands this out instead of a reference to its own variables.
template <class T>
class notebook {
  public:
    explicit notebook(T& page) : page_(&page) {}
    T* operator->() const { return page_; }
    T& operator*() const { return *page_; }

  private:
    T* page_;
};

}  // namespace csp
