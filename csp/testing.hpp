// SPDX-License-Identifier: MIT
//
// Support for tests of processes, with any test framework or none: a kernel with virtual time and a seed, messages that
// are counted, and a notebook for results.
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

/// Calls `test(seed)`, which returns whether it passed, with the seeds 1 to `how_many`. Returns the first that failed.
template <std::predicate<std::uint64_t> Test>
[[nodiscard]] std::optional<std::uint64_t> first_failing_seed(std::uint64_t how_many, Test test)
{
    for (std::uint64_t seed = 1; seed <= how_many; ++seed) {
        if (!test(seed)) return seed;
    }
    return std::nullopt;
}

/// A message type that counts its objects, to find messages that are lost or destroyed twice. Moving from an object
/// empties it, and only full objects count.
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

/// A pointer to a variable of a test, for its processes to write results to. References and pointers are not mobile;
/// this is, and it is safe in a test that runs on one thread and outlives its processes.
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
