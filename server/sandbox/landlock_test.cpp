// SPDX-License-Identifier: MIT
//
// Each test closes files in a process of its own, since that cannot be undone, and tries what is forbidden there.
#include "server/sandbox/landlock.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "io/address.hpp"
#include "io/descriptor.hpp"
#include "io/socket.hpp"
#include "io/test_engines.hpp"
#include "io/test_refusals.hpp"

namespace server {
namespace {

using io::test::end_of_refusals;
namespace fs = std::filesystem;

/// 0, or the errno of a call that returned `done`.
int told(long done) { return done < 0 ? errno : 0; }

int version_of(const std::string& words)
{
    constexpr std::string_view before = "files by Landlock (ABI ";
    int version = 0;
    if (words.starts_with(before)) std::from_chars(words.data() + before.size(), words.data() + words.size(), version);
    return version;
}

class Landlock : public testing::Test {
  protected:
    Landlock()
    {
        std::string name = (fs::temp_directory_path() / "occwserv-landlock-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory for the test");
        place_ = name;
        for (const char* const each : {"open", "closed"}) {
            fs::create_directory(place_ / each);
            std::ofstream(place_ / each / "file") << "text";
        }
    }
    ~Landlock() override { fs::remove_all(place_); }

    [[nodiscard]] std::string open(const char* name = "") const { return (place_ / "open" / name).string(); }
    [[nodiscard]] std::string closed(const char* name = "") const { return (place_ / "closed" / name).string(); }

    /// Restricts this process and yields the version of Landlock. Ends the process if there is none.
    static int restrict_to(const file_rights& rights)
    {
        const auto words = restrict_files(rights);
        if (!words) ADD_FAILURE() << words.error();
        if (!words || words->starts_with("files not restricted")) end_of_refusals();
        return version_of(*words);
    }

    static int told_about_opening(const std::string& path, int how)
    {
        const io::descriptor d(::open(path.c_str(), how | O_CLOEXEC, 0600));
        return told(d.number());
    }
    static int told_about_binding(const std::string& path)
    {
        const io::descriptor s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto at = io::address::parse("unix:" + path);
        return told(::bind(s.number(), at->data(), at->size()));
    }

  private:
    fs::path place_;
};

TEST_F(Landlock, SaysWhatIsInForce)
{
    EXPECT_EXIT(
        {
            const auto words = restrict_files({});
            EXPECT_TRUE(words.has_value());
            EXPECT_TRUE(words->starts_with("files by Landlock (ABI ") || words->starts_with("files not restricted ("))
                << *words;
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(Landlock, ForbidsEveryChange)
{
    EXPECT_EXIT(
        {
            const int version = restrict_to({.sockets = {open()}, .devices = {"/dev/null"}});
            EXPECT_EQ(told_about_opening(closed("file"), O_WRONLY), EACCES);
            EXPECT_EQ(told_about_opening(closed("new"), O_RDWR | O_CREAT), EACCES);
            EXPECT_EQ(told_about_opening(closed("file"), O_RDONLY), 0);
            EXPECT_EQ(told(::unlink(closed("file").c_str())), EACCES);
            EXPECT_EQ(told(::mkdir(closed("new").c_str(), 0700)), EACCES);
            EXPECT_EQ(told(::symlink("file", closed("link").c_str())), EACCES);
            EXPECT_EQ(told(::rename(closed("file").c_str(), closed("other").c_str())), EACCES);
            EXPECT_EQ(told(::mkfifo(closed("fifo").c_str(), 0600)), EACCES);
            EXPECT_EQ(told_about_binding(closed("socket")), EACCES);
            if (version >= 3) EXPECT_EQ(told(::truncate(closed("file").c_str(), 0)), EACCES);
            EXPECT_EQ(told(::execl("/bin/true", "true", nullptr)), EACCES);
            EXPECT_EQ(told_about_opening("/dev/null", O_RDWR), 0);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(Landlock, LeavesSocketsTheirDirectory)
{
    EXPECT_EXIT(
        {
            restrict_to({.sockets = {open()}});
            EXPECT_EQ(told_about_binding(open("control.1")), 0);
            EXPECT_EQ(told(::link(open("control.1").c_str(), open("control.2").c_str())), 0);
            EXPECT_EQ(told(::rename(open("control.1").c_str(), open("control").c_str())), 0);
            EXPECT_EQ(told(::unlink(open("control").c_str())), 0);
            EXPECT_EQ(told_about_opening(open("new"), O_RDWR | O_CREAT), EACCES);
            EXPECT_EQ(told_about_opening(open("file"), O_WRONLY), EACCES);
            EXPECT_NE(told(::rename(open("control.2").c_str(), closed("control").c_str())), 0);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(Landlock, LeavesOpenFilesUsable)
{
    EXPECT_EXIT(
        {
            const io::descriptor log(::open(closed("file").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
            restrict_to({});
            EXPECT_EQ(::write(log.number(), "x", 1), 1);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(Landlock, RestrictsReadingIfAsked)
{
    EXPECT_EXIT(
        {
            restrict_to({.readable = {open(), "/no/such/directory"}});
            EXPECT_EQ(told_about_opening(open("file"), O_RDONLY), 0);
            EXPECT_EQ(told_about_opening(open(), O_RDONLY | O_DIRECTORY), 0);
            EXPECT_EQ(told_about_opening(closed("file"), O_RDONLY), EACCES);
            EXPECT_EQ(told_about_opening(closed(), O_RDONLY | O_DIRECTORY), EACCES);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(Landlock, ForbidsConnectionsByTcp)
{
    const auto l = io::listen(io::address::loopback(0));
    ASSERT_TRUE(l.has_value());
    const auto at = io::local(*l);
    ASSERT_TRUE(at.has_value());
    EXPECT_EXIT(
        {
            if (restrict_to({}) < 4) end_of_refusals();
            const io::descriptor s(::socket(at->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
            EXPECT_EQ(told(::connect(s.number(), at->data(), at->size())), EACCES);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(Landlock, ForbidsSignalsToOthers)
{
    EXPECT_EXIT(
        {
            if (restrict_to({}) < 6) end_of_refusals();
            EXPECT_EQ(told(::kill(::getppid(), 0)), EPERM);
            EXPECT_EQ(told(::kill(::getpid(), 0)), 0);
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(Landlock, ForbidsAbstractSocketsOfOthersUnlessAsked)
{
    const std::string name = fmt::format("occwserv-landlock-{}", ::getpid());
    const io::descriptor theirs(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    name.copy(at.sun_path + 1, name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    const auto* const to = reinterpret_cast<const sockaddr*>(&at);
    ASSERT_EQ(::bind(theirs.number(), to, size), 0);
    using enum file_rights::abstract_sockets;
    for (const auto reaches : {own, all}) {
        EXPECT_EXIT(
            {
                if (restrict_to({.reaches = reaches}) < 6) end_of_refusals();
                const io::descriptor s(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                EXPECT_EQ(told(::sendto(s.number(), "x", 1, MSG_NOSIGNAL, to, size)), reaches == own ? EPERM : 0);
                end_of_refusals();
            },
            testing::ExitedWithCode(0), "");
    }
}

TEST_F(Landlock, SaysThatItIsNotPermitted)
{
    EXPECT_EXIT(
        {
            io::test::refuse({.number = SYS_landlock_create_ruleset}, EPERM);
            EXPECT_EQ(restrict_files({}), "files not restricted (Landlock is not permitted here)");
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
    EXPECT_EXIT(
        {
            io::test::refuse({.number = SYS_landlock_create_ruleset}, ENOSYS);
            EXPECT_EQ(restrict_files({}), "files not restricted (this kernel has no Landlock)");
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(Landlock, FailsIfItIsThereAndFails)
{
    EXPECT_EXIT(
        {
            if (!restrict_files({})->starts_with("files by")) end_of_refusals();
            io::test::refuse({.number = SYS_landlock_restrict_self}, ENOMEM);
            const auto words = restrict_files({});
            EXPECT_EQ(words,
                      std::unexpected(std::string("the sandbox cannot be closed: Landlock: Cannot allocate memory")));
            end_of_refusals();
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace server
