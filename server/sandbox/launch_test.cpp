// SPDX-License-Identifier: MIT
#include "server/sandbox/launch.hpp"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <gmock/gmock.h>

namespace server {
namespace {

using testing::HasSubstr;

launch shell(std::string script)
{
    return {.program = "/bin/sh",
            .arguments = {"sh", "-c", std::move(script)},
            .environment = {"PATH=/bin:/usr/bin"},
            .descriptors = {}};
}

/// What the program writes to its standard output.
std::string output_of(launch what)
{
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const io::descriptor reads(ends[0]);
    io::descriptor writes(ends[1]);
    const pid_t forked = ::fork();
    if (forked == 0) {
        what.descriptors.emplace_back(std::move(writes), STDOUT_FILENO);
        const std::string failed = become(std::move(what));
        (void)!::write(STDOUT_FILENO, failed.data(), failed.size());
        ::_exit(1);
    }
    writes = {};
    std::string text(4096, '\0');
    std::size_t size = 0;
    for (ssize_t got = 0; (got = ::read(reads.number(), text.data() + size, text.size() - size)) > 0;) {
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    ::waitpid(forked, nullptr, 0);
    return text;
}

TEST(Launch, PassesTheEnvironmentAndNothingElse)
{
    launch what = shell("echo $GREETING; ls /proc/self/fd | wc -l");
    what.environment.emplace_back("GREETING=hello");
    // ls has a descriptor of the directory that it lists.
    EXPECT_EQ(output_of(std::move(what)), "hello\n4\n");
}

TEST(Launch, GivesDescriptorsTheirNumbers)
{
    launch what = shell("read a <&4; read b <&3; echo $a $b");
    for (const int number : {3, 4}) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        const std::string text = number == 3 ? "three\n" : "four\n";
        EXPECT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
        ::close(ends[1]);
        what.descriptors.emplace_back(io::descriptor(ends[0]), number);
    }
    EXPECT_EQ(output_of(std::move(what)), "four three\n");
}

TEST(Launch, SetsLimitsAndNiceness)
{
    launch what = shell("ulimit -n; nice");
    what.limits.emplace_back(RLIMIT_NOFILE, rlimit{50, 50});
    what.niceness = 5;
    EXPECT_EQ(output_of(std::move(what)), "50\n5\n");
}

TEST(Launch, ChangesTheDirectoryAndTheGroup)
{
    launch what = shell("pwd; test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leads");
    what.directory = "/usr";
    what.process_group = launch::group::its_own;
    EXPECT_EQ(output_of(std::move(what)), "/usr\nleads\n");
}

TEST(Launch, LetsNoSignalBeIgnoredOrBlocked)
{
    EXPECT_EQ(output_of(shell("exec grep -E 'Sig(Blk|Ign)' /proc/self/status")),
              "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Launch, SwitchesTheUserForGood)
{
    if (::geteuid() != 0) GTEST_SKIP() << "only root can switch";
    auto account = find_account("nobody", "");
    ASSERT_TRUE(account && *account);
    launch what = shell("id -u; grep -E 'NoNewPrivs|CapEff' /proc/$$/status");
    what.user = identity_of(**account);
    EXPECT_EQ(output_of(std::move(what)),
              std::to_string((*account)->user) + "\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n");
}

TEST(Launch, DiesWithItsParentIfItShall)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const io::descriptor reads(ends[0]);
    const pid_t parent = ::fork();
    if (parent == 0) {
        if (::fork() == 0) {
            launch what = shell("echo up; exec sleep 1000");
            what.death_signal = SIGKILL;
            what.descriptors.emplace_back(io::descriptor(ends[1]), STDOUT_FILENO);
            (void)become(std::move(what));
            ::_exit(1);
        }
        ::pause();
    }
    ::close(ends[1]);
    std::array<char, 16> text{};
    EXPECT_EQ(::read(reads.number(), text.data(), text.size()), 3);
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    EXPECT_EQ(::read(reads.number(), text.data(), text.size()), 0) << "the program has ended, and its pipe is closed";
}

TEST(Launch, SaysWhyItFails)
{
    launch what = shell("exit 0");
    what.program = "/nowhere/absent";
    EXPECT_THAT(output_of(std::move(what)), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace server
