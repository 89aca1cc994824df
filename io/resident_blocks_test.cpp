// SPDX-License-Identifier: MIT
#include "io/resident_blocks.hpp"

#include <chrono>

#include <gtest/gtest.h>

namespace io::detail {
namespace {

using namespace std::chrono_literals;

constexpr file_key one{1};
constexpr file_key other{2};

TEST(ResidentBlocks, AreRememberedForASecond)
{
    resident_blocks seen;
    const csp::time_point now{1h};
    EXPECT_FALSE(seen.has(one, 0, now));
    seen.add(one, 0, now);
    EXPECT_TRUE(seen.has(one, 0, now));
    EXPECT_TRUE(seen.has(one, 0, now + 999ms));
    EXPECT_FALSE(seen.has(one, 0, now + 1s));
}

TEST(ResidentBlocks, AreThoseOfOneFile)
{
    resident_blocks seen;
    const csp::time_point now{1h};
    for (std::uint64_t block = 0; block < 100'000; ++block) {
        seen.add(one, block, now);
        EXPECT_TRUE(seen.has(one, block, now));
        EXPECT_FALSE(seen.has(one, block + 1, now));
        EXPECT_FALSE(seen.has(other, block, now));
    }
}

}  // namespace
}  // namespace io::detail
