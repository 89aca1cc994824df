// SPDX-License-Identifier: MIT
//
// The interaction of the server with its service manager.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <pwd.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "server/service/inherited.hpp"
#include "server/service/privileges.hpp"
#include "server/service/processors.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

void put(const std::string& file, const std::string& text)
{
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file) << text;
}

TEST(Quota, TheLeastOfAllGroupsAroundUs)
{
    const test::scratch_directory d;
    const std::string tree = d.path() + "/tree";
    put(d.path() + "/self", "0::/a/b\n");
    put(tree + "/a/b/cpu.max", "max 100000\n");
    EXPECT_EQ(quota_of_cgroup(tree, d.path() + "/self"), std::nullopt);
    put(tree + "/a/cpu.max", "350000 100000\n");
    EXPECT_EQ(quota_of_cgroup(tree, d.path() + "/self"), 4U);
    put(tree + "/a/b/cpu.max", "20000 100000\n");
    EXPECT_EQ(quota_of_cgroup(tree, d.path() + "/self"), 1U);
}

TEST(Quota, OfTheFirstVersion)
{
    const test::scratch_directory d;
    const std::string tree = d.path() + "/tree";
    put(d.path() + "/self", "5:cpuset:/a\n4:cpuacct,cpu:/a\n0::/\n");
    put(tree + "/cpu/a/cpu.cfs_quota_us", "-1\n");
    put(tree + "/cpu/a/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(quota_of_cgroup(tree, d.path() + "/self"), std::nullopt);
    put(tree + "/cpu/a/cpu.cfs_quota_us", "250000\n");
    EXPECT_EQ(quota_of_cgroup(tree, d.path() + "/self"), 3U);
}

TEST(Quota, AHostsPathInAContainer)
{
    const test::scratch_directory d;
    put(d.path() + "/self", "0::/docker/0123\n");
    put(d.path() + "/tree/cpu.max", "150000 100000\n");
    EXPECT_EQ(quota_of_cgroup(d.path() + "/tree", d.path() + "/self"), 2U);
    EXPECT_EQ(quota_of_cgroup(d.path() + "/none", d.path() + "/none"), std::nullopt);
}

TEST(Privileges, WhoCannotBe)
{
    EXPECT_EQ(account_to_switch_to("no-such-user", "").error(), "there is no user `no-such-user`");
    EXPECT_EQ(account_to_switch_to("", "daemon").error(), "the group `daemon` is set without a user: set `user` too");
    EXPECT_EQ(account_to_switch_to("daemon", "no-such-group").error(), "there is no group `no-such-group`");
    EXPECT_FALSE(account_to_switch_to("", "").value());
}

TEST(Privileges, WhoWeAreAlready)
{
    const passwd* const us = ::getpwuid(::getuid());
    if (us == nullptr || us->pw_gid != ::getgid()) GTEST_SKIP() << "this user has no name";
    EXPECT_FALSE(account_to_switch_to(us->pw_name, "").value());
}

std::string heard_on(const io::descriptor& from)
{
    std::array<char, 100> room{};
    const auto got = ::read(from.number(), room.data(), room.size());
    return {room.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

TEST(Predecessor, IsThereUntilItClosesItsEnd)
{
    std::array<char, 100> room{};
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    io::descriptor its(ends[0]);
    const predecessor p{io::descriptor(ends[1])};
    EXPECT_TRUE(p.is_there());
    p.tell("ready");
    EXPECT_EQ(heard_on(its), "ready\n");
    EXPECT_TRUE(p.is_there());
    EXPECT_EQ(::send(its.number(), "take\n", 5, 0), 5);
    EXPECT_TRUE(p.is_there()) << "also while a message waits to be read";
    p.tell("here");
    EXPECT_EQ(heard_on(its), "here\n");
    EXPECT_FALSE(p.has_left());
    EXPECT_EQ(p.process(), ::getpid());
    its = {};
    EXPECT_TRUE(p.has_left());
    EXPECT_EQ(::recv(p.another().number(), room.data(), room.size(), 0), 5);
    EXPECT_FALSE(p.is_there());
}

TEST(Predecessor, OfAnEarlierVersionShutsDownItsSide)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    const io::descriptor its(ends[0]);
    const predecessor p{io::descriptor(ends[1])};
    ::shutdown(its.number(), SHUT_WR);
    EXPECT_FALSE(p.is_there());
    EXPECT_FALSE(p.has_left());
    p.tell("here");
    EXPECT_EQ(heard_on(its), "here\n");
}

TEST(Predecessor, OfAnEarlierVersionHasAPipeAndHasLeft)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const io::descriptor its(ends[0]);
    const predecessor p{io::descriptor(ends[1])};
    p.tell("ready");
    EXPECT_EQ(heard_on(its), "ready\n");
    EXPECT_FALSE(p.is_there());
    EXPECT_FALSE(predecessor().is_there());
}

TEST(Inherited, EverySocketIsServedAndEveryCoreServes)
{
    for (const unsigned there : {1U, 2U, 5U}) {
        for (const unsigned cores : {1U, 2U, 3U}) {
            std::vector<listening> sockets;
            auto first = io::listen(io::address::loopback(0), 8, io::port_sharing::among_cores);
            ASSERT_TRUE(first);
            const io::address where = *io::local(*first);
            const std::string name = where.to_string();
            sockets.push_back({name, std::move(*first)});
            while (sockets.size() < there) {
                sockets.push_back({name, *io::listen(where, 8, io::port_sharing::among_cores)});
            }
            EXPECT_EQ(addresses_of(sockets), std::vector{name});
            const auto shares = share_among_cores(std::move(sockets), cores);
            ASSERT_TRUE(shares);
            std::size_t all = 0;
            for (const auto& share : *shares) {
                EXPECT_FALSE(share.empty());
                all += share.size();
            }
            EXPECT_EQ(all, std::max(there, cores));
        }
    }
}

}  // namespace
}  // namespace server
