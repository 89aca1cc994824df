// SPDX-License-Identifier: MIT
#include "csp/barrier.hpp"

#include <vector>

#include <gmock/gmock.h>

#include "csp/test_support.hpp"
#include "csp/timer.hpp"

namespace csp {
namespace {

using testing::IsEmpty;

process walks(int phases, barrier together, notebook<std::vector<int>> seen)
{
    for (int phase = 0; phase < phases; ++phase) {
        seen->push_back(phase);
        co_await together.sync();
    }
}

TEST(Barrier, NobodyPassesBeforeAllHaveCome)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        {
            const barrier together;
            for (int i = 0; i < 5; ++i) k.start(walks(4, together, notebook(seen)));
        }
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(seen.size(), 20U);
        EXPECT_TRUE(std::ranges::is_sorted(seen));
    });
}

TEST(Barrier, WhoEndsResigns)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        {
            const barrier together;
            for (int i = 1; i <= 5; ++i) k.start(walks(i, together, notebook(seen)));
        }
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(seen.size(), 15U);
        EXPECT_TRUE(std::ranges::is_sorted(seen));
    });
}

TEST(Barrier, WaitsForWhoeverIsEnrolled)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        test_kernel k(seed);
        auto held = std::make_unique<barrier>();
        for (int i = 0; i < 3; ++i) k.start(walks(2, *held, notebook(seen)));
        EXPECT_EQ(k.run().size(), 3U);
        EXPECT_EQ(seen.size(), 3U);
        held.reset();
        EXPECT_THAT(k.run(), IsEmpty());
        EXPECT_EQ(seen.size(), 6U);
    });
}

TEST(Barrier, IsEndedWithThoseWhoWait)
{
    for_seeds(200, [](std::uint64_t seed) {
        std::vector<int> seen;
        const barrier held;
        test_kernel k(seed);
        for (int i = 0; i < 3; ++i) k.start(walks(2, held, notebook(seen)));
        EXPECT_EQ(k.run().size(), 3U);
    });
}

}  // namespace
}  // namespace csp
