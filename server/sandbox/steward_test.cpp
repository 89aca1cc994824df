// SPDX-License-Identifier: MIT
#include "server/sandbox/steward.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "csp/kernel.hpp"
#include "csp/testing.hpp"
#include "csp/timer.hpp"
#include "io/engine.hpp"
#include "io/packet.hpp"
#include "server/testing/test_steward.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;
using test::test_steward;
using testing::AllOf;
using testing::HasSubstr;

namespace fs = std::filesystem;

/// What the server was told: empty if it got what it asked for.
template <class T>
std::string told(const std::expected<T, std::string>& answer)
{
    return answer ? "" : answer.error();
}

class Steward : public testing::Test {
  protected:
    [[nodiscard]] std::string in(const std::string& name) const { return d.path() + "/" + name; }

    /// A configuration that names these logs.
    [[nodiscard]] std::string configuration(const std::string& access, const std::string& error) const
    {
        std::ofstream(in("occwserv.toml"))
            << fmt::format("root = \"{}\"\nlisten = [\"127.0.0.1:0\"]\n[log]\naccess = \"{}\"\nerror = \"{}\"\n",
                           d.path(), access, error);
        return in("occwserv.toml");
    }
    [[nodiscard]] static steward_rules of_configuration(const std::string& path)
    {
        return test_steward::for_command({"occwserv", "--config", path});
    }
    /// A program that may be run.
    [[nodiscard]] std::string script(const std::string& name, const std::string& text) const
    {
        std::ofstream(in(name)) << "#!/bin/sh\n" << text << "\n";
        fs::permissions(in(name), fs::perms::owner_all);
        return in(name);
    }

    static void run(csp::process what)
    {
        csp::kernel kernel({}, io::engines(io::engine_choice::epoll));
        EXPECT_EQ(kernel.run(std::move(what)), csp::outcome::finished);
    }

    const test::scratch_directory d;
};

io::deadline soon() { return csp::core::here().now() + 60s; }

csp::process opens_a_log(steward_line steward, std::string path, csp::notebook<std::string> answer)
{
    *answer = told(co_await steward.check_log(path));
    if (!answer->empty()) co_return;
    const auto log = co_await steward.open_log(path);
    *answer = told(log);
    if (log) EXPECT_EQ((co_await io::append_all(*log, std::string_view("a line\n"))).bytes, 7U);
}

TEST_F(Steward, OpensTheLogsOfTheConfiguration)
{
    const test_steward steward(of_configuration(configuration(in("access"), in("error"))));
    std::string answer;
    run(opens_a_log(steward.line().another(), in("access"), csp::notebook(answer)));
    EXPECT_EQ(answer, "");
    EXPECT_EQ(d.read("access"), "a line\n");
}

TEST_F(Steward, OpensNoOtherLog)
{
    const test_steward steward(of_configuration(configuration(in("access"), in("error"))));
    std::string answer;
    run(opens_a_log(steward.line().another(), in("elsewhere"), csp::notebook(answer)));
    EXPECT_EQ(answer,
              fmt::format("the steward does not open {}: the configuration names no such log", in("elsewhere")));
    EXPECT_FALSE(fs::exists(in("elsewhere")));
}

TEST_F(Steward, ReadsTheConfigurationAnew)
{
    const std::string path = configuration(in("access"), in("error"));
    const test_steward steward(of_configuration(path));
    std::string answer;
    (void)configuration(in("other"), in("error"));
    run(opens_a_log(steward.line().another(), in("other"), csp::notebook(answer)));
    EXPECT_EQ(answer, "");
    // A mistake in the file does not keep a log from being rotated.
    std::ofstream(path) << "listne = 1\n";
    run(opens_a_log(steward.line().another(), in("other"), csp::notebook(answer)));
    EXPECT_EQ(answer, "");
    run(opens_a_log(steward.line().another(), in("access"), csp::notebook(answer)));
    EXPECT_THAT(answer, HasSubstr("names no such log"));
}

TEST_F(Steward, ListensAtTheAddressesOfTheConfiguration)
{
    const std::string where = "unix:" + in("s");
    const test_steward steward(test_steward::for_command({"occwserv", d.path(), "--listen", where}));
    EXPECT_EQ(told(steward.line().listen(where)), "");
    EXPECT_THAT(told(steward.line().listen("unix:" + in("t"))), HasSubstr("names no such address"));
    EXPECT_THAT(told(steward.line().listen("127.0.0.1:0")), HasSubstr("names no such address"));
}

/// The job that listened may outlive the answer to the server, and has the socket as long as it lives.
TEST_F(Steward, ListensAgainWhereTheServerHasClosed)
{
    const std::string where = "unix:" + in("s");
    const test_steward steward(test_steward::for_command({"occwserv", d.path(), "--listen", where}));
    for (int i = 0; i < 500; ++i) ASSERT_EQ(told(steward.line().listen(where)), "") << i;
}

TEST_F(Steward, RemovesOnlySocketsThatItMade)
{
    const std::string where = "unix:" + in("s");
    listening others{where, io::listen(*io::address::parse(where)).value(), io::socket_identity::at(in("s"))};
    {
        const test_steward steward(test_steward::for_command({"occwserv", d.path(), "--listen", where}));
        steward.line().remove_file_of(others);
    }
    EXPECT_TRUE(fs::exists(in("s")));
}

// ---- programs

csp::step<std::expected<io::child, std::string>> start(const steward_line& steward, std::string program)
{
    auto reports = io::socket_pair().value();
    co_return co_await steward.start_successor(std::move(program), {}, std::move(reports.second).release());
}

csp::process sees_a_program_end(steward_line steward, std::string program)
{
    auto running = co_await start(steward, std::move(program));
    const auto how = co_await running->exited(soon());
    EXPECT_EQ(how->code, 7);
    EXPECT_GT(how->usage.ru_maxrss, 0);
    EXPECT_EQ((co_await running->exited(soon()))->code, 7) << "asked again";
}
TEST_F(Steward, TellsHowAProgramEnded)
{
    const test_steward steward(test_steward::for_logs({}));
    run(sees_a_program_end(steward.line().another(), script("seven", "exit 7")));
}

csp::process ends_a_program(steward_line steward, std::string program)
{
    auto running = co_await start(steward, std::move(program));
    EXPECT_FALSE(co_await running->exited(csp::core::here().now() + 20ms));
    EXPECT_TRUE(running->kill(SIGTERM));
    EXPECT_EQ((co_await running->exited(soon()))->signal, SIGTERM);
}
TEST_F(Steward, SendsSignals)
{
    const test_steward steward(test_steward::for_logs({}));
    run(ends_a_program(steward.line().another(), script("sleeper", "exec sleep 1000")));
}

csp::process sends_other_signals(steward_line steward, std::string program)
{
    auto running = co_await start(steward, std::move(program));
    for (const int signal : {SIGSTOP, SIGUSR1, 0, -1, 1000}) EXPECT_TRUE(running->kill(signal));
    EXPECT_TRUE(running->kill(SIGTERM));
    EXPECT_EQ((co_await running->exited(soon()))->signal, SIGTERM);
}
TEST_F(Steward, SendsNoOtherSignals)
{
    const test_steward steward(test_steward::for_logs({}));
    run(sends_other_signals(steward.line().another(), script("sleeper", "exec sleep 1000")));
}

bool lives(pid_t pid) { return ::kill(pid, 0) == 0; }
bool comes_to_an_end(pid_t pid)
{
    return test::comes_true([pid] { return !lives(pid); });
}

enum class then : std::uint8_t { drop, let_go };
csp::process leaves_a_program(steward_line steward, std::string program, then what, csp::notebook<pid_t> pid)
{
    auto running = co_await start(steward, std::move(program));
    *pid = running->pid();
    if (what == then::let_go) std::move(*running).let_go();
}
TEST_F(Steward, KillsAProgramThatIsDropped)
{
    const test_steward steward(test_steward::for_logs({}));
    pid_t pid = 0;
    run(leaves_a_program(steward.line().another(), script("sleeper", "exec sleep 1000"), then::drop,
                         csp::notebook(pid)));
    EXPECT_TRUE(comes_to_an_end(pid));
}

TEST_F(Steward, EndsWithoutTheSuccessor)
{
    pid_t pid = 0;
    {
        const test_steward steward(test_steward::for_logs({}));
        run(leaves_a_program(steward.line().another(), script("sleeper", "exec sleep 1000"), then::let_go,
                             csp::notebook(pid)));
    }
    EXPECT_TRUE(lives(pid)) << "a successor outlives the steward";
    ::kill(pid, SIGKILL);
}

csp::process hands_over(steward_line steward, std::string program, listening socket, csp::notebook<pid_t> pid)
{
    auto running = co_await start(steward, std::move(program));
    *pid = running->pid();
    std::move(*running).let_go();
    steward.remove_file_of(socket);
}
TEST_F(Steward, RemovesNothingOfASuccessor)
{
    const std::string where = "unix:" + in("s");
    pid_t pid = 0;
    {
        const test_steward steward(test_steward::for_command({"occwserv", d.path(), "--listen", where}));
        auto l = steward.line().listen(where);
        ASSERT_TRUE(l);
        listening socket{where, std::move(*l), io::socket_identity::at(in("s"))};
        run(hands_over(steward.line().another(), script("sleeper", "exec sleep 1000"), std::move(socket),
                       csp::notebook(pid)));
    }
    EXPECT_TRUE(fs::exists(in("s")));
    ::kill(pid, SIGKILL);
}

TEST_F(Steward, RemovesASocketOnce)
{
    const std::string where = "unix:" + in("s");
    {
        const test_steward steward(test_steward::for_command({"occwserv", d.path(), "--listen", where}));
        auto l = steward.line().listen(where);
        ASSERT_TRUE(l);
        fs::create_hard_link(in("s"), in("same"));
        const listening socket{where, std::move(*l), io::socket_identity::at(in("s"))};
        steward.line().remove_file_of(socket);
        EXPECT_TRUE(test::comes_true([&] { return !fs::exists(in("s")); }));
        fs::rename(in("same"), in("s"));  // another file, with the same inode
        steward.line().remove_file_of(socket);
    }
    EXPECT_TRUE(fs::exists(in("s")));
}

/// What comes on `answers` after this request, whose line is `line`; 0 is the end.
ssize_t bytes_after(const test_steward& steward, const steward_request& request, io::descriptor answers,
                    io::descriptor line)
{
    EXPECT_TRUE(io::send_packet(steward.line().end().number(), io::bytes_of(request), line.number()));
    line = {};
    steward_answer answer;
    return ::read(answers.number(), &answer, sizeof answer);
}
TEST_F(Steward, AnswersOnPacketSocketsOnly)
{
    const test_steward steward(test_steward::for_logs({}));
    const auto request = steward_request::make(errand::open_log, "/x").value();
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()), 0);
    EXPECT_EQ(bytes_after(steward, request, io::descriptor(ends[0]), io::descriptor(ends[1])), sizeof(steward_answer));
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    EXPECT_EQ(bytes_after(steward, request, io::descriptor(ends[0]), io::descriptor(ends[1])), 0);
    ASSERT_EQ(::pipe(ends.data()), 0);
    EXPECT_EQ(bytes_after(steward, request, io::descriptor(ends[0]), io::descriptor(ends[1])), 0);
}

csp::process asks_without_descriptors(steward_line steward, csp::notebook<std::string> answer)
{
    *answer = told(co_await steward.open_log("/x"));
}
/// Answers one request, without the descriptor that belongs to it.
void answer_without_descriptor(const io::descriptor& server)
{
    pollfd asked{.fd = server.number(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&asked, 1, 60'000), 1);
    steward_request request;
    const auto got = io::receive_packet(server.number(), io::room_of(request));
    ASSERT_TRUE(got && got->passed);
    io::post_packet(got->passed.number(), io::bytes_of(steward_answer::make(steward_answer::kind::done)));
}
TEST_F(Steward, IsNotBelievedWithoutADescriptor)
{
    auto [to_steward, server] = io::packet_pair().value();
    const steward_line line(std::move(to_steward));
    std::string answer;
    std::thread log([&] { answer_without_descriptor(server); });
    run(asks_without_descriptors(line.another(), csp::notebook(answer)));
    log.join();
    EXPECT_THAT(answer, HasSubstr("Too many open files"));
    std::thread address([&] { answer_without_descriptor(server); });
    EXPECT_THAT(told(line.listen("unix:/x")), HasSubstr("Too many open files"));
    address.join();
}

TEST_F(Steward, OfRootUsesRootsRightsOnlyForWhatRootNames)
{
    if (::geteuid() != 0) GTEST_SKIP() << "only root has such rights";
    constexpr uid_t somebody = 12345;
    const std::string path = configuration(in("access"), in("error"));
    ASSERT_EQ(::chmod(d.path().c_str(), 0755), 0);
    auto rules = of_configuration(path);
    rules.run_as = user_account{.name = "nobody", .user = somebody, .group = somebody};
    const test_steward steward(std::move(rules));
    std::string answer;
    ASSERT_EQ(::chown(path.c_str(), somebody, 0), 0);
    run(opens_a_log(steward.line().another(), in("access"), csp::notebook(answer)));
    EXPECT_THAT(answer, HasSubstr("Permission denied"));
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
    run(opens_a_log(steward.line().another(), in("access"), csp::notebook(answer)));
    EXPECT_EQ(answer, "");
}

csp::process loses_the_steward(steward_line steward, pid_t itself, std::string program)
{
    auto running = co_await start(steward, std::move(program));
    ::kill(itself, SIGKILL);
    const auto how = co_await running->exited(soon());
    EXPECT_FALSE(how);
    if (!how) EXPECT_TRUE(how.error().closed());
    ::kill(running->pid(), SIGKILL);
}
TEST_F(Steward, ThatEndsIsNoticed)
{
    const test_steward steward(test_steward::for_logs({}));
    run(loses_the_steward(steward.line().another(), steward.process(), script("sleeper", "exec sleep 1000")));
    EXPECT_EQ(told(steward.line().listen("unix:/s")), "the steward has ended: restart the server");
}

csp::process starts_what_is_missing(steward_line steward, std::string program, csp::notebook<std::string> answer)
{
    *answer = told(co_await start(steward, std::move(program)));
}
TEST_F(Steward, DoesNotRunWhatIsMissing)
{
    const test_steward steward(test_steward::for_logs({}));
    std::string answer;
    run(starts_what_is_missing(steward.line().another(), in("absent"), csp::notebook(answer)));
    EXPECT_THAT(answer, HasSubstr("absent"));
}

TEST_F(Steward, OfRootRunsOnlyRootsPrograms)
{
    EXPECT_EQ(told(may_run("/bin/sh", 0)), "");
    const std::string program = script("program", "exit 0");
    EXPECT_EQ(told(may_run(program, 1000)), "") << "without root's rights nothing is gained";
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files to others";
    EXPECT_EQ(told(may_run(program, 0)), "");
    constexpr uid_t somebody = 12345;
    ASSERT_EQ(::chown(program.c_str(), somebody, 0), 0);
    EXPECT_THAT(told(may_run(program, 0)), AllOf(HasSubstr(program), HasSubstr("belongs to another user")));
    ASSERT_EQ(::chown(program.c_str(), 0, 0), 0);
    ASSERT_EQ(::chmod(program.c_str(), 0757), 0);
    EXPECT_THAT(told(may_run(program, 0)), HasSubstr("can be written by one"));
    ASSERT_EQ(::chmod(program.c_str(), 0700), 0);
    fs::create_directory(in("theirs"));
    fs::rename(program, in("theirs/program"));
    ASSERT_EQ(::chown(in("theirs").c_str(), somebody, 0), 0);
    EXPECT_THAT(told(may_run(in("theirs/program"), 0)), HasSubstr("belongs to another user"));
}

TEST(StewardMessages, OfAnotherShapeAreNotTaken)
{
    auto good = steward_request::make(errand::open_log, "/var/log/x").value();
    EXPECT_EQ(parse_request(io::bytes_of(good))->text, "/var/log/x");
    EXPECT_FALSE(parse_request(io::bytes_of(good).first(sizeof good - 1)));
    EXPECT_FALSE(parse_request({}));
    auto unknown = good;
    unknown.what = static_cast<errand>(99);
    EXPECT_FALSE(parse_request(io::bytes_of(unknown)));
    auto endless = good;
    endless.text.fill('x');
    EXPECT_FALSE(parse_request(io::bytes_of(endless)));
    EXPECT_FALSE(steward_request::make(errand::open_log, std::string(5000, 'x')));
    EXPECT_FALSE(steward_request::make(errand::open_log, std::string_view("a\0b", 3)));
    const steward_inheritance odd{.what = static_cast<steward_inheritance::kind>(7)};
    EXPECT_FALSE(parse_inheritance(io::bytes_of(odd)));
    const std::string much(10'000, 'x');
    EXPECT_EQ(steward_answer::make(steward_answer::kind::failed, much).why().size(), steward_answer::longest_text);
}

}  // namespace
}  // namespace server
