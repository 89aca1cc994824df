// SPDX-License-Identifier: MIT
#include "server/messages/request_id.hpp"

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(RequestId, Text)
{
    EXPECT_EQ(to_string(request_id{.connection = {.drawn = 0xabc, .number = 26}, .request = 3}), "000000000abc-1a-3");
    EXPECT_EQ(to_string(request_id{.connection = {.drawn = 0xffff'ffff'ffff, .number = ~0ULL}, .request = 1}),
              "ffffffffffff-ffffffffffffffff-1");
}

TEST(RequestId, NoTwoAcceptorsDrawTheSame)
{
    connection_ids one;
    connection_ids other;
    const connection_id first = one.next();
    const connection_id second = one.next();
    EXPECT_EQ(first.number, 1U);
    EXPECT_EQ(second.number, 2U);
    EXPECT_EQ(first.drawn, second.drawn);
    EXPECT_NE(first.drawn, other.next().drawn);
    EXPECT_EQ(first.drawn >> 48, 0U);
}

}  // namespace
}  // namespace server
