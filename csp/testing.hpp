// SPDX-License-Identifier: MIT
//
// What a test of processes needs, with any test framework or none: the kernel with virtual time and a seed, messages
// that are counted, and a place to write down what happened.
//
//   auto failing = first_failing_seed(200, [](std::uint64_t seed) {
//       std::vector<int> seen;
//       test_kernel k(seed);
//       chan<int> numbers;
//       k.start(counts_to_three(numbers.tx()));
//       k.start(writes_down(numbers.rx(), notebook(seen)));
//       return k.run().empty() && seen == std::vector{1, 2, 3};   // all have ended, and this is what they did
//   });
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

#include "csp/test_kernel.hpp"

namespace csp {

/// Runs `test(seed)`, which says whether it passed, under the seeds from 1 on. Yields the first that failed.
template <std::predicate<std::uint64_t> Test>
[[nodiscard]] std::optional<std::uint64_t> first_failing_seed(std::uint64_t how_many, Test test)
{
    for (std::uint64_t seed = 1; seed <= how_many; ++seed) {
        if (!test(seed)) return seed;
    }
    return std::nullopt;
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
