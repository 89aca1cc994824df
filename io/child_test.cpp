// SPDX-License-Identifier: MIT
#include "io/child.hpp"

#include <csignal>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "csp/alt.hpp"
#include "csp/par.hpp"
#include "io/test_engines.hpp"

namespace io::test {
namespace {

using csp::process;
class children : public on_engine {};
ON_BOTH_ENGINES(children);

command shell(std::string script)
{
    command c;
    c.program = "/bin/sh";
    c.arguments = {"sh", "-c", std::move(script)};
    return c;
}

process exit_codes()
{
    auto good = co_await spawn(shell("exit 0"));
    auto bad = co_await spawn(shell("exit 7"));
    EXPECT_EQ((co_await bad->exited(soon()))->code, 7);
    EXPECT_TRUE((co_await good->exited(soon()))->succeeded());
    EXPECT_EQ((co_await bad->exited(soon()))->code, 7) << "asked again";
    EXPECT_TRUE(bad->kill(SIGKILL)) << "no error once it has gone";
    command nothing = shell("exit 0");
    nothing.program = "/nowhere/absent";
    const auto absent = co_await spawn(std::move(nothing));
    EXPECT_FALSE(absent);
    EXPECT_EQ(absent.error().number, ENOENT);
}
TEST_P(children, tell_how_they_ended) { run(exit_codes()); }

process killed()
{
    auto sleeper = co_await spawn(shell("sleep 1000"));
    const auto early = co_await sleeper->exited(in(20ms));
    EXPECT_FALSE(early);
    EXPECT_TRUE(early.error().timed_out());
    EXPECT_TRUE(sleeper->limit(RLIMIT_CORE, 0, 0));
    EXPECT_TRUE(sleeper->kill(SIGTERM));
    EXPECT_EQ((co_await sleeper->exited(soon()))->signal, SIGTERM);
}
TEST_P(children, are_killed) { run(killed()); }

process waited_for_in_turn()
{
    auto sleeper = co_await spawn(shell("sleep 1000"));
    for (int i = 0; i < 2; ++i) {
        const csp::timeout soon_over = csp::after(10ms);
        EXPECT_TRUE(co_await csp::pri_alt(*sleeper, soon_over) == soon_over);
        EXPECT_FALSE(co_await sleeper->exited(in(10ms)));
    }
    EXPECT_TRUE(sleeper->kill(SIGTERM));
    EXPECT_TRUE(co_await csp::pri_alt(*sleeper) == *sleeper);
    EXPECT_EQ((co_await sleeper->exited(soon()))->signal, SIGTERM);
}
TEST_P(children, are_waited_for_in_an_alt_and_by_themselves) { run(waited_for_in_turn()); }

process talks()
{
    auto to = pipe_to_child();
    auto from = pipe_from_child();
    auto err = pipe_from_child();
    command c = shell("echo \"$GREETING\" >&2; pwd; cat; ls /proc/self/fd | wc -l");
    c.environment = {"GREETING=hello", "PATH=/bin:/usr/bin"};
    c.directory = "/usr";
    c.descriptors.emplace_back(std::move(err->childs), 2);
    c.descriptors.emplace_back(std::move(from->childs), 1);
    c.descriptors.emplace_back(std::move(to->childs), 0);
    auto talker = co_await spawn(std::move(c));
    EXPECT_TRUE(talker.has_value());
    co_await put(to->ours, "through the cat\n");
    {
        const socket closed = std::move(to->ours);
    }
    // ls itself has a descriptor open on the directory that it lists.
    EXPECT_EQ(co_await get_all(from->ours), "/usr\nthrough the cat\n4\n");
    EXPECT_EQ(co_await get_all(err->ours), "hello\n");
    EXPECT_TRUE((co_await talker->exited(soon()))->succeeded());
}
TEST_P(children, get_what_was_said_and_nothing_else) { run(talks()); }

process dropped()
{
    auto from = pipe_from_child();
    command c = shell("echo up; sleep 1000 & sleep 1000");
    c.environment = {"PATH=/bin:/usr/bin"};
    c.descriptors.emplace_back(std::move(from->childs), 1);
    pid_t pid = 0;
    {
        const auto running = co_await spawn(std::move(c));
        pid = running->pid();
        EXPECT_EQ(co_await get(from->ours), "up\n");
    }
    // Processes of the child's group had the other end of the pipe; now all of them have ended.
    EXPECT_EQ(co_await get(from->ours), "end");
    const auto in_vain = soon();
    while (csp::core::here().now() < in_vain && ::kill(pid, 0) == 0) co_await csp::sleep(1ms);
    EXPECT_NE(::kill(pid, 0), 0) << "reaped";
}
TEST_P(children, die_with_their_owner) { run(dropped()); }

process in_an_alt()
{
    auto brief = co_await spawn(shell("exit 3"));
    auto late = csp::at(soon());
    const auto chosen = co_await csp::pri_alt(*brief, late);
    EXPECT_TRUE(chosen == *brief);
    EXPECT_EQ((co_await brief->exited(soon()))->code, 3);
}
TEST_P(children, stand_in_an_alt) { run(in_an_alt()); }

}  // namespace
}  // namespace io::test
