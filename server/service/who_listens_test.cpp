// SPDX-License-Identifier: MIT
#include "server/service/who_listens.hpp"

#include <string>
#include <unistd.h>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "io/socket.hpp"
#include "io/test_engines.hpp"

namespace server {
namespace {

std::uint16_t port_of(const io::listener& l) { return io::local(l)->port(); }

TEST(WhoListens, NamesTheProgram)
{
    const auto l = io::listen(io::address::loopback(0));
    ASSERT_TRUE(l.has_value());
    const auto who = who_listens(port_of(*l));
    ASSERT_TRUE(who.has_value());
    EXPECT_THAT(*who, testing::EndsWith(fmt::format("(process {})", ::getpid())));
    EXPECT_THAT(*who, testing::StartsWith("server_test"));
}

TEST(WhoListens, FindsListenersOfIPv6)
{
    const auto l = io::listen(*io::address::parse("[::1]:0"));
    if (!l) GTEST_SKIP() << l.error().text;
    EXPECT_TRUE(who_listens(port_of(*l)).has_value());
}

TEST(WhoListens, NobodyOnAFreePort)
{
    const io::test::reserved_port nobodys;
    EXPECT_EQ(who_listens(nobodys.where().port()), std::nullopt);
}

}  // namespace
}  // namespace server
