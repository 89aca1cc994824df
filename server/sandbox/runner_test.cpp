// SPDX-License-Identifier: MIT
#include "server/sandbox/runner.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "csp/kernel.hpp"
#include "csp/testing.hpp"
#include "io/descriptor.hpp"
#include "io/engine.hpp"
#include "io/packet.hpp"
#include "server/configuration/programs.hpp"
#include "server/messages/runner_line.hpp"
#include "server/messages/runner_messages.hpp"
#include "server/sandbox/errands.hpp"
#include "server/testing/test_steward.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;
using test::test_steward;
using testing::HasSubstr;
using why_not = start_failure::kind;

namespace fs = std::filesystem;

/// A runner of its own for a test.
class test_runner {
  public:
    explicit test_runner(const settings& s, std::optional<user_account> run_as = {})
    {
        auto ends = runner_line_ends().value();
        process_ = ::fork();
        if (process_ == 0) {
            ends.first = {};
            close_all_but({ends.second.number()});
            auto rules = prepare_runner(s, run_as);
            if (rules) serve_as_runner(std::move(*rules), std::move(ends.second));
            ::_exit(rules ? 0 : 1);
        }
        line_ = std::move(ends.first);
    }
    test_runner(const test_runner&) = delete;
    test_runner& operator=(const test_runner&) = delete;
    ~test_runner() { end(); }

    /// Returns whether it ended by itself, with success.
    bool end()
    {
        line_ = {};
        if (process_ <= 0) return false;
        int status = -1;
        ::waitpid(std::exchange(process_, 0), &status, 0);
        return status == 0;
    }
    [[nodiscard]] const io::descriptor& line() const { return line_; }
    [[nodiscard]] io::descriptor another() const { return io::descriptor(::fcntl(line_.number(), F_DUPFD_CLOEXEC, 0)); }
    [[nodiscard]] pid_t process() const { return process_; }

  private:
    pid_t process_ = 0;
    io::descriptor line_;
};

/// What came of an order.
struct result {
    std::string failure;  // empty if the program was started
    why_not why{};
    std::string output;
    std::string errors;
    io::exit_status how;
};

io::deadline soon() { return csp::core::here().now() + 60s; }

std::pair<io::descriptor, io::descriptor> pipe_of()
{
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    return {io::descriptor(ends[0]), io::descriptor(ends[1])};
}
/// Gives the order its output and errors; returns the other ends.
std::array<io::descriptor, 2> give_streams(program_order& order)
{
    auto [read_out, out] = pipe_of();
    auto [read_err, err] = pipe_of();
    order.out = std::move(out);
    order.err = std::move(err);
    return {std::move(read_out), std::move(read_err)};
}

/// All that is in the pipe. REQUIRES: nobody writes to it any more, or will end soon.
std::string rest_of_pipe(const io::descriptor& pipe)
{
    std::string all;
    std::array<char, 4096> part{};
    EXPECT_EQ(::fcntl(pipe.number(), F_SETFL, 0), 0);
    for (ssize_t got = 0; (got = ::read(pipe.number(), part.data(), part.size())) > 0;) {
        all.append(part.data(), static_cast<std::size_t>(got));
    }
    return all;
}

csp::process starts(io::descriptor runner, program_order order, csp::notebook<result> into)
{
    auto ends = give_streams(order);
    auto running = co_await start_program(runner, std::move(order), soon());
    if (!running) {
        into->failure = running.error().text;
        into->why = running.error().what;
        co_return;
    }
    const auto how = co_await running->exited(soon());
    EXPECT_TRUE(how);
    if (how) into->how = *how;
    into->output = rest_of_pipe(ends[0]);
    into->errors = rest_of_pipe(ends[1]);
}

void run_alone(csp::process what)
{
    csp::kernel kernel({}, io::engines(io::engine_choice::epoll));
    EXPECT_EQ(kernel.run(std::move(what)), csp::outcome::finished);
}

bool lives(pid_t pid)
{
    std::ifstream stat(fmt::format("/proc/{}/stat", pid));
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    const auto name = text.rfind(')');
    return name != std::string::npos && text.at(name + 2) != 'Z';  // a zombie has ended
}
bool comes_to_an_end(pid_t pid)
{
    return test::comes_true([pid] { return !lives(pid); });
}

class Runner : public testing::Test {
  protected:
    [[nodiscard]] std::string in(std::string_view name) const { return fmt::format("{}/{}", d.path(), name); }

    std::string write(const std::string& name, const std::string& text, fs::perms mode = fs::perms(0755)) const
    {
        fs::create_directories(fs::path(in(name)).parent_path());
        std::ofstream(in(name)) << text;
        fs::permissions(in(name), mode);
        return in(name);
    }
    std::string script(const std::string& name, const std::string& text) const
    {
        return write(name, "#!/bin/sh\n" + text + "\n");
    }

    /// A site with one route of programs, in `cgi`.
    [[nodiscard]] settings configured(cgi_rules rules, const std::string& path = "/cgi/*") const
    {
        settings s;
        s.files.root = in("root");
        fs::create_directories(s.files.root);
        fs::create_directories(in("cgi"));
        if (rules.path.empty()) rules.path = in("cgi");
        s.files.routes.push_back({.path = path, .then = std::move(rules), .headers = {}});
        return s;
    }

    [[nodiscard]] static result start(const test_runner& runner, std::string name,
                                      std::vector<std::string> environment = {})
    {
        result r;
        program_order order;
        order.script = std::move(name);
        order.environment = std::move(environment);
        run_alone(starts(runner.another(), std::move(order), csp::notebook(r)));
        return r;
    }

    const test::scratch_directory d;
};

TEST_F(Runner, GivesAProgramExactlyItsEnvironment)
{
    script("cgi/env", "exec cat /proc/self/environ");
    cgi_rules rules;
    rules.environment = {{"LD_LIBRARY_PATH", "/opt/lib"}};
    const test_runner runner(configured(rules));
    const std::vector<std::string> variables{"REQUEST_METHOD=GET", "QUERY_STRING=", "HTTP_ACCEPT=a=b\n",
                                             "LD_LIBRARY_PATH=/opt/lib",
                                             fmt::format("PATH={}", usual_path_of_programs)};
    const result r = start(runner, "env", variables);
    EXPECT_EQ(r.failure, "");
    std::string expected;
    for (const std::string& v : variables) expected += v + '\0';
    // The shell passes on what it was given; it adds PWD.
    std::string got = r.output;
    if (const auto at = got.find("PWD="); at != std::string::npos) got.erase(at, got.find('\0', at) + 1 - at);
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < got.size(); at = got.find('\0', at) + 1)
        lines.push_back(got.substr(at, got.find('\0', at) - at));
    EXPECT_THAT(lines, testing::UnorderedElementsAreArray(variables));
}

TEST_F(Runner, RunsItInItsDirectoryWithNothingElseOpen)
{
    script("cgi/sub/where", "pwd; ls /proc/self/fd | wc -l; readlink /proc/self/fd/0; echo wrong >&2; exit 3");
    const test_runner runner(configured({}));
    const result r = start(runner, "sub/where");
    EXPECT_EQ(r.output, fmt::format("{}\n4\n/dev/null\n", fs::canonical(in("cgi/sub")).string()));
    EXPECT_EQ(r.errors, "wrong\n");
    EXPECT_EQ(r.how.code, 3);
    EXPECT_GT(r.how.usage.ru_maxrss, 0);
}

/// Sets the effect of the signals that the C library reserves. Some programs start others with these ignored.
void set_reserved_signals(void (*handler)(int))
{
    struct {
        void (*handler)(int);
        unsigned long flags = 0;
        void (*restorer)() = nullptr;
        std::uint64_t mask = 0;
    } const effect{.handler = handler};
    for (int signal = SIGSYS + 1; signal < SIGRTMIN; ++signal) {
        ASSERT_EQ(::syscall(SYS_rt_sigaction, signal, &effect, nullptr, sizeof effect.mask), 0);
    }
}

TEST_F(Runner, PutsTheLimitsInForce)
{
    set_reserved_signals(SIG_IGN);
    script("cgi/limits",
           "ulimit -n; ulimit -t; ulimit -v; ulimit -c; nice; test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leads; "
           "exec grep -hE 'NoNewPrivs|Sig(Blk|Ign)' /proc/self/status");
    cgi_rules rules;
    rules.of_each.open_files = 50;
    rules.of_each.cpu = 7s;
    rules.of_each.memory = 1UL << 30;
    rules.working_directory = "/usr";
    const result r = start(test_runner(configured(rules)), "limits");
    set_reserved_signals(SIG_DFL);
    const int niceness = std::min(::getpriority(PRIO_PROCESS, 0) + rules.niceness, 19);
    EXPECT_EQ(r.output, fmt::format("50\n7\n1048576\n0\n{}\nleads\nSigBlk:\t0000000000000000\n"
                                    "SigIgn:\t0000000000000000\nNoNewPrivs:\t1\n",
                                    niceness));
}

TEST_F(Runner, KillsAProgramThatUsesTooMuchOfTheProcessor)
{
    script("cgi/busy", "while :; do :; done");
    cgi_rules rules;
    rules.of_each.cpu = 1s;
    rules.niceness = 0;
    const result r = start(test_runner(configured(rules)), "busy");
    EXPECT_EQ(r.how.signal, SIGXCPU);
}

TEST_F(Runner, StartsNothingElse)
{
    script("cgi/a.cgi", "echo a");
    script("cgi/.hidden", "echo hidden");
    script("elsewhere/b.cgi", "echo b");
    fs::create_symlink("a.cgi", in("cgi/link"));
    fs::create_symlink(in("elsewhere/b.cgi"), in("cgi/out"));
    fs::create_symlink(in("elsewhere"), in("cgi/dir"));
    fs::create_symlink(".hidden", in("cgi/to_hidden"));
    const test_runner runner(configured({}));
    EXPECT_EQ(start(runner, "a.cgi").output, "a\n");
    EXPECT_EQ(start(runner, "link").output, "a\n");
    for (const char* name : {"out", "dir/b.cgi", "../elsewhere/b.cgi", "./a.cgi", "/bin/sh", "", "x/../a.cgi",
                             ".hidden", "//a.cgi", "a.cgi/"}) {
        const result r = start(runner, name);
        EXPECT_NE(r.failure, "") << name;
        EXPECT_EQ(r.why, why_not::forbidden) << name << ": " << r.failure;
    }
    EXPECT_EQ(start(runner, "to_hidden").why, why_not::missing);
}

TEST_F(Runner, SaysWhyNot)
{
    script("cgi/a.cgi", "echo a");
    write("cgi/data", "#!/bin/sh\n", fs::perms(0644));
    write("cgi/sub/data", "");
    write("cgi/no_interpreter", "#!/nowhere/absent\n");
    write("cgi/no_format", "\x01\x02\x03");
    const test_runner runner(configured({}));
    const auto said = [&](const std::string& name) {
        const result r = start(runner, name);
        return std::pair(r.why, r.failure);
    };
    EXPECT_THAT(said("absent"), testing::Pair(why_not::missing, HasSubstr("absent: No such file or directory")));
    EXPECT_THAT(said("a.cgi/b"), testing::Pair(why_not::missing, HasSubstr("a.cgi/b: Not a directory")));
    EXPECT_THAT(said("data"), testing::Pair(why_not::forbidden, HasSubstr("data is not executable")));
    EXPECT_THAT(said("sub"), testing::Pair(why_not::forbidden, HasSubstr("sub is not a regular file")));
    EXPECT_THAT(said("no_interpreter"),
                testing::Pair(why_not::other, HasSubstr("interpreter that its first line names")));
    EXPECT_THAT(said("no_format"), testing::Pair(why_not::other, HasSubstr("neither a program")));
    fs::copy("/bin/true", in("cgi/busy"));
    const io::descriptor writer(::open(in("cgi/busy").c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_THAT(said("busy"), testing::Pair(why_not::other, HasSubstr("busy is being written")));
}

TEST_F(Runner, SetsNoOtherVariables)
{
    script("cgi/a.cgi", "echo a");
    cgi_rules rules;
    rules.environment = {{"LD_PRELOAD", "/opt/x.so"}};
    const test_runner runner(configured(rules));
    for (const char* v : {"LD_PRELOAD=/tmp/y.so", "LD_AUDIT=/tmp/y.so", "PATH=/tmp", "PATH", "HTTP_PROXY=http://x",
                          "HTTP_a=b", "HTTP_=b", "BASH_ENV=/tmp/x", "=x", "", "PERL5OPT=-Mx", "IFS=x", "HOME=/"}) {
        const result r = start(runner, "a.cgi", {v});
        EXPECT_EQ(r.why, why_not::forbidden) << v << ": " << r.failure;
    }
    EXPECT_THAT(start(runner, "a.cgi", {"LD_AUDIT=x"}).failure, HasSubstr("does not set the variable LD_AUDIT"));
}

TEST_F(Runner, KnowsOnlyRoutesWithPrograms)
{
    script("cgi/a.cgi", "echo a");
    settings s = configured({});
    s.files.routes.push_back({.path = "/other", .then = fixed_status{}, .headers = {}});
    const test_runner runner(s);
    const auto ask = [&](std::uint32_t site, std::uint32_t route) {
        result r;
        program_order order{.site = site, .route = route, .script = "a.cgi", .environment = {}};
        run_alone(starts(runner.another(), std::move(order), csp::notebook(r)));
        return r.failure;
    };
    EXPECT_EQ(ask(0, 0), "");
    EXPECT_THAT(ask(0, 1), HasSubstr("names no programs"));
    EXPECT_THAT(ask(0, 7), HasSubstr("names no programs"));
    EXPECT_THAT(ask(1, 0), HasSubstr("names no programs"));
}

TEST_F(Runner, GivesAnInterpreterOnlyFilesOfTheSite)
{
    const std::string program = script("php", "cat \"$SCRIPT_FILENAME\"");
    write("root/a.php", "the page\n");
    write("root/a.txt", "text\n");
    write("root/.secret.php", "secret\n");
    write("elsewhere/b.php", "b\n");
    write("linked/c.php", "c\n");
    fs::create_symlink(in("elsewhere/b.php"), in("root/out.php"));
    cgi_rules rules;
    rules.what = cgi_rules::kind::interpreter;
    rules.path = program;
    settings s = configured(rules, "*.php");
    s.files.links_into.push_back(in("linked"));
    const test_runner runner(s);
    const auto page = [&](const std::string& file) {
        return start(runner, in(file), {fmt::format("SCRIPT_FILENAME={}", in(file))});
    };
    EXPECT_EQ(page("root/a.php").output, "the page\n");
    EXPECT_EQ(page("linked/c.php").output, "c\n");
    EXPECT_EQ(page("root/absent.php").why, why_not::missing);
    EXPECT_EQ(page("root/.secret.php").why, why_not::missing);
    for (const char* file : {"root/a.txt", "elsewhere/b.php", "root/out.php", "root/../elsewhere/b.php"}) {
        EXPECT_EQ(page(file).why, why_not::forbidden) << file;
    }
    EXPECT_THAT(start(runner, in("root/a.php"), {fmt::format("SCRIPT_FILENAME={}", in("elsewhere/b.php"))}).failure,
                HasSubstr("another file"));
    EXPECT_THAT(start(runner, in("root/a.php")).failure, HasSubstr("not set once"));
}

TEST_F(Runner, StartsTheProgramOfARoute)
{
    cgi_rules rules;
    rules.what = cgi_rules::kind::program;
    rules.path = script("gitweb", "echo $0");
    const test_runner runner(configured(rules));
    EXPECT_EQ(start(runner, "").output, in("gitweb") + "\n");
    EXPECT_EQ(start(runner, "a").why, why_not::forbidden);
    rules.path = in("absent");
    EXPECT_EQ(start(test_runner(configured(rules)), "").why, why_not::other) << "the configuration is wrong";
}

// ---- the ends of programs

struct seen {
    pid_t leader = 0;
    pid_t helper = 0;
};
/// The script writes the pid of a helper.
csp::process leaves_a_helper(io::descriptor runner, std::string name, bool waits, csp::notebook<seen> into)
{
    program_order order{.script = std::move(name), .environment = {}};
    const auto ends = give_streams(order);
    auto running = co_await start_program(runner, std::move(order), soon());
    EXPECT_TRUE(running) << (running ? "" : running.error().text);
    if (!running) co_return;
    into->leader = running->pid();
    std::array<char, 32> text{};
    EXPECT_TRUE(
        test::comes_true([&] { return text[0] != 0 || ::read(ends[0].number(), text.data(), text.size() - 1) > 0; }));
    into->helper = std::stoi(text.data());
    if (!waits) co_return;
    EXPECT_TRUE(co_await running->exited(soon()));
    EXPECT_TRUE(lives(into->helper)) << "as long as the child is kept";
}
TEST_F(Runner, KillsTheGroupOfAProgramThatIsDropped)
{
    script("cgi/group", "sleep 1000 & echo $!; wait");
    const test_runner runner(configured({}));
    seen s;
    run_alone(leaves_a_helper(runner.another(), "group", false, csp::notebook(s)));
    EXPECT_TRUE(comes_to_an_end(s.leader));
    EXPECT_TRUE(comes_to_an_end(s.helper));
}
TEST_F(Runner, KillsWhatAProgramHasLeftBehind)
{
    script("cgi/lingers", "sleep 1000 & echo $!");
    const test_runner runner(configured({}));
    seen s;
    run_alone(leaves_a_helper(runner.another(), "lingers", true, csp::notebook(s)));
    EXPECT_TRUE(comes_to_an_end(s.helper));
}

csp::process signals(io::descriptor runner, csp::notebook<io::exit_status> how)
{
    program_order order{.script = "sleeper", .environment = {}};
    const auto ends = give_streams(order);
    auto running = co_await start_program(runner, std::move(order), soon());
    EXPECT_TRUE(running);
    EXPECT_FALSE(co_await running->exited(csp::core::here().now() + 20ms));
    EXPECT_TRUE(running->kill_group(SIGTERM));
    const auto ended = co_await running->exited(soon());
    EXPECT_TRUE(ended);
    *how = *ended;
}
TEST_F(Runner, SendsSignals)
{
    script("cgi/sleeper", "exec sleep 1000");
    const test_runner runner(configured({}));
    io::exit_status how;
    run_alone(signals(runner.another(), csp::notebook(how)));
    EXPECT_EQ(how.signal, SIGTERM);
}

csp::process ends_the_runner(csp::notebook<test_runner> runner, csp::notebook<pid_t> pid)
{
    program_order order{.script = "sleeper", .environment = {}};
    const auto ends = give_streams(order);
    auto running = co_await start_program(runner->line(), std::move(order), soon());
    EXPECT_TRUE(running);
    *pid = running->pid();
    EXPECT_TRUE(runner->end()) << "although the child is still held";
    EXPECT_FALSE(co_await running->exited(soon()));
}
TEST_F(Runner, EndsWithTheServer)
{
    script("cgi/sleeper", "exec sleep 1000");
    test_runner runner(configured({}));
    pid_t pid = 0;
    run_alone(ends_the_runner(csp::notebook(runner), csp::notebook(pid)));
    EXPECT_TRUE(comes_to_an_end(pid));
}

std::size_t entries(const std::string& directory)
{
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), {}));
}
csp::process starts_many(io::descriptor runner, int count)
{
    for (int i = 0; i < count; ++i) {
        program_order order{.script = i % 3 == 0 ? "absent" : "a.cgi", .environment = {}};
        const auto ends = give_streams(order);
        auto running = co_await start_program(runner, std::move(order), soon());
        EXPECT_EQ(static_cast<bool>(running), i % 3 != 0);
        if (running && i % 3 == 1) EXPECT_TRUE(co_await running->exited(soon()));
    }
}
TEST_F(Runner, LeavesNothingBehind)
{
    script("cgi/a.cgi", "exit 0");
    const test_runner runner(configured({}));
    EXPECT_EQ(start(runner, "a.cgi").failure, "");
    const std::string fds = fmt::format("/proc/{}/fd", runner.process());
    const std::string children = fmt::format("/proc/{0}/task/{0}/children", runner.process());
    const auto has_children = [&] { return std::ifstream(children).peek() != std::ifstream::traits_type::eof(); };
    EXPECT_TRUE(test::comes_true([&] { return !has_children(); }));
    const std::size_t before = entries(fds);
    run_alone(starts_many(runner.another(), 300));
    EXPECT_TRUE(test::comes_true([&] { return !has_children(); })) << "no zombie";
    EXPECT_TRUE(test::comes_true([&] { return entries(fds) == before; })) << entries(fds);
}

// ---- bad requests

TEST_F(Runner, SurvivesWhatNoServerSends)
{
    script("cgi/a.cgi", "echo a");
    const test_runner runner(configured({}));
    const int to = runner.line().number();
    auto line = io::packet_pair().value();
    const auto send = [&](std::span<const std::byte> bytes, std::vector<int> passed) {
        // The runner may not have read what was sent before.
        bool is_sent = false;
        EXPECT_TRUE(test::comes_true([&] { return is_sent = is_sent || io::send_packet(to, bytes, passed); }));
    };
    const std::vector<std::byte> good = packet_of({.script = "a.cgi", .environment = {"QUERY_STRING=a"}});
    std::array<int, 2> stream{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream.data()), 0);
    const io::descriptor a(stream[0]);
    const io::descriptor b(stream[1]);
    const int l = line.second.number();
    send(good, {});                              // no line
    send(good, {a.number(), 1, 2});              // not a packet socket
    send(good, {l});                             // no streams
    send(good, {l, 1, 2, 0});                    // too many
    send(std::span(good).first(20), {l, 1, 2});  // cut
    send(std::span(good).first(good.size() - 1), {l, 1, 2});
    send(std::vector<std::byte>(100, std::byte{0xff}), {l, 1, 2});
    send(std::vector<std::byte>(runner_request::largest + 1), {});
    line = {};
    EXPECT_EQ(start(runner, "a.cgi").output, "a\n");
}

csp::process opens_a_spool(io::descriptor runner, csp::notebook<std::string> failure)
{
    const auto file = co_await open_spool(runner);
    if (!file) {
        *failure = file.error();
        co_return;
    }
    EXPECT_TRUE(co_await io::write_all(*file, std::string_view("a body"), 0));
    std::array<char, 16> text{};
    const auto got = co_await io::read(*file, text, 0);
    EXPECT_TRUE(got && *got == 6);
    const auto what = io::status(*file);
    EXPECT_TRUE(what && (what->mode & 0777) == 0600);
}
TEST_F(Runner, OpensUnnamedFiles)
{
    const test_runner runner(configured({}));
    std::string failure;
    run_alone(opens_a_spool(runner.another(), csp::notebook(failure)));
    EXPECT_EQ(failure, "");
}

// ---- users

class RunnerOfRoot : public Runner {
  protected:
    void SetUp() override
    {
        if (::geteuid() != 0) GTEST_SKIP() << "only root can switch";
        ASSERT_EQ(::chmod(d.path().c_str(), 0755), 0);
    }
    static constexpr const char* who = "echo $(id -un) $(id -G | wc -w) $(grep CapEff /proc/$$/status)";
    static constexpr const char* nobody = "nobody 1 CapEff: 0000000000000000\n";
};

TEST_F(RunnerOfRoot, RunsProgramsAsTheUserOfTheServer)
{
    script("cgi/who", who);
    const test_runner runner(configured({}), find_account("nobody", "").value());
    EXPECT_EQ(start(runner, "who").output, nobody);
    struct stat process{};
    ASSERT_EQ(::stat(fmt::format("/proc/{}", runner.process()).c_str(), &process), 0);
    EXPECT_NE(process.st_uid, 0U) << "the runner has no need of root's rights";
}

TEST_F(RunnerOfRoot, RunsProgramsAsTheUserOfTheirRoute)
{
    script("cgi/who", who);
    script("cgi/sleeper", "exec sleep 1000");
    cgi_rules rules;
    rules.user = "nobody";
    const test_runner runner(configured(rules), find_account("daemon", "").value());
    EXPECT_EQ(start(runner, "who").output, nobody);
    EXPECT_EQ(start(runner, "absent").why, why_not::missing) << "told by a child with memory of its own";
    io::exit_status how;
    run_alone(signals(runner.another(), csp::notebook(how)));
    EXPECT_EQ(how.signal, SIGTERM);
}

TEST_F(RunnerOfRoot, RunsOnlyRootsProgramsAsRoot)
{
    script("cgi/who", "id -un");
    const test_runner runner(configured({}));
    EXPECT_EQ(start(runner, "who").output, "root\n");
    constexpr uid_t somebody = 12345;
    ASSERT_EQ(::chown(in("cgi/who").c_str(), somebody, 0), 0);
    const result r = start(runner, "who");
    EXPECT_EQ(r.why, why_not::forbidden);
    EXPECT_THAT(r.failure, HasSubstr("belongs to another user"));
}

// ---- by the steward

TEST_F(Runner, IsStartedByTheStewardForTheSameConfigurationOnly)
{
    const test_steward steward(test_steward::for_command({"occwserv", d.path()}));
    EXPECT_TRUE(steward.line().start_first_runner(digest_of_programs({})));
    const auto other = steward.line().start_first_runner(1);
    ASSERT_FALSE(other);
    EXPECT_THAT(other.error(), HasSubstr("changed while it was read"));
}

/// The steward hears at one time that a runner serves, and that the server is done with the request for it.
TEST_F(Runner, OutlivesTheRequestForIt)
{
    const test_steward steward(test_steward::for_command({"occwserv", d.path()}));
    std::vector<io::descriptor> lines;
    for (int i = 0; i < 20; ++i) {
        auto line = steward.line().start_first_runner(digest_of_programs({}));
        ASSERT_TRUE(line) << i << ": " << line.error();
        lines.push_back(std::move(*line));
    }
    for (const io::descriptor& line : lines) {
        pollfd end{.fd = line.number(), .events = 0, .revents = 0};
        EXPECT_EQ(::poll(&end, 1, 0), 0) << "the runner has ended";
    }
}

TEST_F(Runner, EndsWhenItsLineIsClosed)
{
    const test_steward steward(test_steward::for_command({"occwserv", d.path()}));
    for (int i = 0; i < 300; ++i) {  // more than the steward has places for jobs
        const auto line = steward.line().start_first_runner(digest_of_programs({}));
        ASSERT_TRUE(line) << i << ": " << line.error();
    }
}

// ---- messages

TEST(RunnerMessages, OfAnotherShapeAreNotTaken)
{
    const runner_order order{.site = 3, .route = 4, .has_input = true, .script = "a/b", .environment = {"A=b", "C="}};
    const auto good = packet_of(order);
    const auto again = parse_runner_request(good);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->script, "a/b");
    EXPECT_EQ(again->environment, order.environment);
    EXPECT_EQ(again->site, 3U);
    EXPECT_TRUE(again->has_input);
    for (std::size_t bytes = 0; bytes < good.size(); ++bytes)
        EXPECT_FALSE(parse_runner_request(std::span(good).first(bytes)));
    auto longer = good;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(parse_runner_request(longer));
    EXPECT_TRUE(packet_of({.script = std::string(5000, 'a'), .environment = {}}).empty());
    EXPECT_TRUE(packet_of({.script = std::string("a\0b", 3), .environment = {}}).empty());
    EXPECT_TRUE(packet_of({.script = {}, .environment = {std::string(300'000, 'a')}}).empty());
    EXPECT_FALSE(packet_of({.script = {}, .environment = {std::string(200'000, 'a')}}).empty());
}

TEST(RunnerMessages, AnswersAreCutToTheirText)
{
    const auto a = runner_answer::failed(why_not::missing, "a text");
    const auto again = parse_runner_answer(a.bytes());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->failure.text, "a text");
    EXPECT_EQ(again->failure.what, why_not::missing);
    EXPECT_FALSE(parse_runner_answer(a.bytes().first(a.bytes().size() - 1)));
    EXPECT_FALSE(parse_runner_answer({}));
    EXPECT_EQ(
        parse_runner_answer(runner_answer::failed(why_not::other, std::string(9999, 'x')).bytes())->failure.text.size(),
        runner_answer::longest_text);
}

TEST(DigestOfPrograms, ChangesWithEachPart)
{
    const auto digest = [](const auto& change) {
        settings s;
        s.files.root = "/srv";
        cgi_rules rules;
        change(s, rules);
        s.files.routes.push_back({.path = "/cgi/*", .then = rules, .headers = {}});
        return digest_of_programs(s);
    };
    const auto plain = digest([](settings&, cgi_rules&) {});
    EXPECT_EQ(plain, digest([](settings& s, cgi_rules&) { s.cache.pages = 1; }));
    EXPECT_NE(plain, digest([](settings& s, cgi_rules&) { s.files.root = "/"; }));
    EXPECT_NE(plain, digest([](settings& s, cgi_rules&) { s.files.routes.emplace_back(); }));
    EXPECT_NE(plain, digest([](settings&, cgi_rules& r) { r.environment = {{"a", "b"}}; }));
    EXPECT_NE(plain, digest([](settings&, cgi_rules& r) { r.user = "a"; }));
    EXPECT_NE(plain, digest([](settings&, cgi_rules& r) { r.of_each.cpu = 1s; }));
}

}  // namespace
}  // namespace server
