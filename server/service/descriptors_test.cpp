// SPDX-License-Identifier: MIT
#include "server/service/descriptors.hpp"

#include <algorithm>

#include <gmock/gmock.h>

namespace server {
namespace {

using testing::HasSubstr;

settings with(unsigned workers, std::size_t connections, std::size_t sites = 1)
{
    settings s;
    s.listen = {"127.0.0.1:80"};
    s.workers = workers;
    s.connections = connections;
    for (std::size_t i = 0; i < sites; ++i) {
        s.sites.push_back({.names = {}, .is_default = i == 0, .files = {.root = "/" + std::to_string(i)}});
    }
    return s;
}

TEST(Descriptors, ThereMayBeEnough)
{
    const auto shared = share_descriptors(with(2, 10'000), 1'000'000);
    ASSERT_TRUE(shared);
    EXPECT_EQ(shared->connections, 10'000U);
    EXPECT_EQ(shared->for_new_ones, descriptors::plentiful);
}

TEST(Descriptors, ConnectionsAreFittedToThem)
{
    for (const std::size_t most : {64U, 100U, 1024U, 20'000U}) {
        const auto shared = share_descriptors(with(2, 10'000), most);
        ASSERT_TRUE(shared) << most;
        EXPECT_GT(shared->connections, 0U);
        EXPECT_LT(2 * shared->connections, most);
    }
    EXPECT_EQ(share_descriptors(with(2, 10'000), 64)->for_new_ones, descriptors::scarce);
    EXPECT_EQ(share_descriptors(with(2, 10'000), 20'000)->for_new_ones, descriptors::plentiful);
    EXPECT_EQ(share_descriptors(with(2, 10), 1024)->connections, 10U);
}

TEST(Descriptors, ManySitesTakeManyOfThem)
{
    const auto few = share_descriptors(with(2, 10'000), 5000);
    const auto many = share_descriptors(with(2, 10'000, 1000), 5000);
    ASSERT_TRUE(few && many);
    EXPECT_LT(many->connections + 1000, few->connections);
}

TEST(Descriptors, ManyAddressesLeaveRoomForConnections)
{
    for (std::size_t addresses = 1; addresses <= 60; ++addresses) {
        settings s = with(1, 10'000);
        s.listen.assign(addresses, "127.0.0.1:80");
        std::size_t most = 1;
        while (!share_descriptors(s, most)) ++most;
        for (; most < 2000; ++most) {
            const auto shared = share_descriptors(s, most);
            ASSERT_TRUE(shared) << addresses << ' ' << most;
            EXPECT_GT(shared->connections, 0U) << addresses << ' ' << most;
            EXPECT_LT(shared->connections, most) << addresses << ' ' << most;
        }
    }
}

TEST(Descriptors, TheFilesThatTheCacheKeepsOpenAreInTheBudget)
{
    settings s = with(2, 1'000'000);
    s.cache.open_files = 500;
    settings without = s;
    without.cache.open_files = 0;
    for (const std::size_t most : {1024U, 20'000U, 1'000'000U}) {
        const auto shared = share_descriptors(s, most);
        const auto more = share_descriptors(without, most);
        ASSERT_TRUE(shared && more) << most;
        EXPECT_LE(shared->open_files, std::min<std::size_t>(500, most / 2 / 16)) << most;
        EXPECT_GT(shared->open_files, 0U) << most;
        EXPECT_EQ(more->open_files, 0U) << most;
        if (shared->for_new_ones != more->for_new_ones) continue;
        EXPECT_LT(shared->connections, more->connections) << most;
        EXPECT_GE(shared->connections + shared->open_files, more->connections) << most;
    }
}

TEST(Descriptors, TooFewAreTold)
{
    const auto shared = share_descriptors(with(2, 10'000), 20);
    ASSERT_FALSE(shared);
    EXPECT_THAT(shared.error(), HasSubstr("at most 20 files may be open (RLIMIT_NOFILE)"));
}

}  // namespace
}  // namespace server
