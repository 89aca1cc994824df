// SPDX-License-Identifier: MIT
#include "csp/frozen.hpp"

#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include "csp/crosses_cores.hpp"
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

static_assert(crosses_cores<freezable<std::string>> && !crosses_cores<frozen<std::string>>);
static_assert(std::is_nothrow_constructible_v<frozen<std::string>, freezable<std::string>&&>);

TEST(Frozen, IsMadeOfAFreezableWithoutMemory)
{
    freezable<counted> first(counted(7));
    freezable<counted> second = std::move(first);
    const counted* const where = &*second;
    {
        const frozen<counted> now(std::move(second));
        EXPECT_EQ(&*now, where);
        EXPECT_EQ(now->value(), 7);
        EXPECT_EQ(counted::alive(), 1);
    }
    EXPECT_EQ(counted::alive(), 0);
    {
        const freezable<counted> never(counted(8));
    }
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
