// SPDX-License-Identifier: MIT
#include "server/service/roots_own.hpp"

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "server/testing/test_support.hpp"

namespace server {
namespace {

namespace fs = std::filesystem;

constexpr uid_t somebody = 65'534;

/// Root's directory in a sticky one, with one of somebody's in it.
class RootsOwn : public testing::Test {
  protected:
    void SetUp() override
    {
        if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
        fs::create_directory(roots());
        fs::permissions(roots(), fs::perms(0755));
        fs::create_directory(others());
        fs::permissions(others(), fs::perms(0755));
        ASSERT_EQ(::chown(others().c_str(), somebody, somebody), 0);
        if (!is_roots_own(scratch_.path())) GTEST_SKIP() << "the directory for temporary files is not root's";
    }
    [[nodiscard]] fs::path roots() const { return scratch_.path() + "/roots"; }
    [[nodiscard]] fs::path others() const { return roots() / "others"; }

    test::scratch_directory scratch_;
};

TEST_F(RootsOwn, WhatOnlyRootCanReplace)
{
    EXPECT_TRUE(is_roots_own("/"));
    EXPECT_TRUE(is_roots_own("/etc/passwd"));
    EXPECT_TRUE(is_roots_own(roots() / "not-yet-there"));
    EXPECT_TRUE(is_roots_own(roots() / "." / "others" / ".." / "log"));
    EXPECT_FALSE(is_roots_own(roots() / "none" / "log"));
    std::ofstream(roots() / "file") << "x";
    ASSERT_EQ(::chown((roots() / "file").c_str(), somebody, somebody), 0);
    EXPECT_TRUE(is_roots_own(roots() / "file")) << "whose it is does not matter, but who can put another there";
    EXPECT_FALSE(is_roots_own(roots() / "file" / "log"));
}

TEST_F(RootsOwn, NotInADirectoryThatOthersWrite)
{
    EXPECT_FALSE(is_roots_own(others() / "log"));
    EXPECT_FALSE(is_roots_own(others() / "none" / ".." / "log"));
    fs::create_directory(roots() / "tmp");
    fs::permissions(roots() / "tmp", fs::perms(01777));
    fs::create_directory(roots() / "tmp" / "roots");
    std::ofstream(roots() / "tmp" / "log") << "root's";
    EXPECT_TRUE(is_roots_own(roots() / "tmp" / "roots" / "log"));
    EXPECT_FALSE(is_roots_own(roots() / "tmp" / "log"));
    EXPECT_FALSE(is_roots_own(roots() / "tmp" / "not-yet-there"));
    std::ofstream(others() / "log") << "root's";
    EXPECT_FALSE(is_roots_own(others() / "log"));
    fs::permissions(roots(), fs::perms(0775));
    EXPECT_TRUE(is_roots_own(roots() / "log"));
    ASSERT_EQ(::chown(roots().c_str(), 0, somebody), 0);
    EXPECT_FALSE(is_roots_own(roots() / "log"));
}

TEST_F(RootsOwn, LinksAreFollowedWithTheSameCare)
{
    fs::create_directory(roots() / "a");
    fs::create_symlink("a", roots() / "relative");
    fs::create_symlink(roots() / "a", roots() / "absolute");
    fs::create_symlink("../roots/others/log", roots() / "leads-out");
    fs::create_symlink("loop", roots() / "loop");
    fs::create_symlink("/etc", others() / "theirs");
    EXPECT_TRUE(is_roots_own(roots() / "relative" / "log"));
    EXPECT_TRUE(is_roots_own(roots() / "absolute" / ".." / "log"));
    EXPECT_FALSE(is_roots_own(roots() / "leads-out"));
    EXPECT_FALSE(is_roots_own(roots() / "loop"));
    EXPECT_FALSE(is_roots_own(others() / "theirs" / "log"));
}

}  // namespace
}  // namespace server
