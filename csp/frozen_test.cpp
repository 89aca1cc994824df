// SPDX-License-Identifier: MIT
#include "csp/frozen.hpp"

#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include "csp/mobile.hpp"
#include "csp/test_support.hpp"

namespace csp {
namespace {

static_assert(mobile<frozen<std::string>>);
static_assert(std::is_same_v<decltype(*std::declval<frozen<std::string>&>()), const std::string&>);

TEST(Frozen, LivesAsLongAsItsLastHolder)
{
    frozen<counted> first(counted(7));
    EXPECT_EQ(counted::alive(), 1);
    {
        frozen<counted> second = first;
        EXPECT_EQ(&*first, &*second);
        first = frozen<counted>();
        EXPECT_FALSE(first);
        EXPECT_EQ(counted::alive(), 1);
        first = std::move(second);
    }
    EXPECT_EQ(first->value(), 7);
    first = {};
    EXPECT_EQ(counted::alive(), 0);
}

TEST(Frozen, CanBeChangedByASoleHolderOnly)
{
    frozen<std::string> first(std::string("a"));
    ASSERT_NE(first.sole(), nullptr);
    *first.sole() = "b";
    frozen<std::string> second = first;
    EXPECT_EQ(first.sole(), nullptr);
    EXPECT_EQ(*second, "b");
    second = {};
    EXPECT_NE(first.sole(), nullptr);
    EXPECT_EQ(second.sole(), nullptr);
}

}  // namespace
}  // namespace csp
