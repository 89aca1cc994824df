// SPDX-License-Identifier: MIT
//
// What our own tests of processes share: testing.hpp, for GoogleTest.
#pragma once

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "csp/test_kernel.hpp"
#include "csp/testing.hpp"

namespace csp {

/// Runs `test(seed)` under `how_many` seeds, up to the first that fails, which is then named.
template <class Test>
void for_seeds(std::uint64_t how_many, Test test)
{
    (void)first_failing_seed(how_many, [&](std::uint64_t seed) {
        const testing::ScopedTrace trace(__FILE__, __LINE__, "seed " + std::to_string(seed));
        test(seed);
        return !testing::Test::HasFailure();
    });
}

}  // namespace csp
