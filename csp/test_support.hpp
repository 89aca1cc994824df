// SPDX-License-Identifier: MIT
//
// The support for tests (testing.hpp) for csp's own tests, which use GoogleTest.
#pragma once

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "csp/test_kernel.hpp"
#include "csp/testing.hpp"

namespace csp {

/// Calls `test(seed)` with the seeds 1 to `how_many`, and stops at the first that fails. Its messages name the seed.
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
