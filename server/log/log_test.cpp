// SPDX-License-Identifier: MIT
#include "server/log/log.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>

#include "csp/channel.hpp"
#include "csp/kernel.hpp"
#include "csp/par.hpp"
#include "csp/post_mortem.hpp"
#include "csp/timer.hpp"
#include "io/engine.hpp"
#include "server/testing/test_steward.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

/// The events of a test, in order: a line is logged, the log is told to reopen, a new configuration arrives (complete
/// when this number of back ends have confirmed it), or the environment changes.
struct act {
    void (*change)(const std::string& directory);
};
struct elsewhere {
    std::optional<std::string> access;  // as an operator writes it
    std::optional<std::string> error;
    log_form form = log_form::combined;
    std::size_t back_ends = 1;
};
struct is_complete {};  // that is waited for
using event = std::variant<log_lines, log_order, act, elsewhere, is_complete>;

log_lines access(std::string text, log_turn turn = 0)
{
    return {.which = log_kind::access, .text = std::move(text), .turn = turn};
}
log_lines heard(log_turn turn) { return {.which = log_kind::turn, .text = {}, .turn = turn}; }
log_lines error(std::string text) { return error_line("error", text); }

std::optional<log_destination> opened(const std::optional<std::string>& text, int stream)
{
    if (!text) return std::nullopt;
    auto log = open_log(*text, stream);
    EXPECT_TRUE(log);
    return std::move(*log);
}

bool a_writer_has_work()
{
    const auto kinds = csp::kinds(csp::core::here());
    return std::ranges::any_of(kinds, [](const csp::kind_of_process& kind) {
        return (kind.name == "log_writer" && kind.communicate != kind.count) || (kind.name == "log" && kind.ready > 0);
    });
}
/// Waits until all lines are written or lost.
csp::step<void> until_written()
{
    for (int idle = 0; idle < 3;) {
        co_await csp::sleep(std::chrono::milliseconds(1));
        idle = a_writer_has_work() ? 0 : idle + 1;
    }
}

csp::process notes_end(csp::in<log_end> ends) { EXPECT_TRUE((co_await ends.input()).has_value()); }

csp::process play(std::string directory, csp::out<log_lines> to_log, csp::out<log_order> orders,
                  csp::bridge_out<log_change> changes, std::vector<event> all)
{
    std::optional<csp::in<log_turn>> complete;
    for (event& e : all) {
        if (const auto* const other = std::get_if<elsewhere>(&e)) {
            csp::bridge<log_turn> reply(csp::core::here());
            complete = reply.rx();
            co_await changes.output({.to = {.access = opened(other->access, STDOUT_FILENO),
                                            .error = opened(other->error, STDERR_FILENO),
                                            .form = other->form},
                                     .back_ends = other->back_ends,
                                     .complete = reply.tx()});
        }
        if (std::holds_alternative<is_complete>(e)) EXPECT_TRUE(co_await complete->input());
        if (auto* const lines = std::get_if<log_lines>(&e)) co_await to_log.output(std::move(*lines));
        if (const auto* const order = std::get_if<log_order>(&e)) co_await orders.output(*order);
        if (const auto* const then = std::get_if<act>(&e)) {
            co_await until_written();
            then->change(directory);
            co_await csp::sleep(std::chrono::milliseconds(1));  // so that the engine hears of it
        }
    }
}

csp::process write_logs(std::string directory, log_files files, std::vector<event> all)
{
    csp::chan<log_lines> lines;
    csp::chan<log_order> orders;
    csp::chan<log_end> ends;
    csp::bridge<log_change> changes(csp::core::here());
    co_await csp::par(log(std::move(files), lines.rx(), orders.rx(), changes.rx(), ends.tx()), notes_end(ends.rx()),
                      play(std::move(directory), lines.tx(), orders.tx(), changes.tx(), std::move(all)));
}

class Log : public testing::Test {
  protected:
    /// Returns the messages on standard error.
    std::string run(const std::string& access_log, const std::string& error_log, std::vector<event> all,
                    log_form form = log_form::combined)
    {
        auto a = open_log(access_log, STDOUT_FILENO);
        auto e = open_log(error_log, STDERR_FILENO);
        EXPECT_TRUE(a && e);
        const test::test_steward steward(
            test::test_steward::for_logs({access_log, error_log, in("access2"), in("error2")}));
        log_files files{.access = std::move(*a),
                        .error = std::move(*e),
                        .steward = steward.line().another(),
                        .form = form,
                        .reader_patience = std::chrono::milliseconds(20)};
        testing::internal::CaptureStderr();
        csp::kernel kernel({}, io::engines(io::engine_choice::epoll));
        EXPECT_EQ(kernel.run(write_logs(d.path(), std::move(files), std::move(all))), csp::outcome::finished);
        return testing::internal::GetCapturedStderr();
    }
    [[nodiscard]] std::string in(const std::string& name) const { return d.path() + "/" + name; }

    test::scratch_directory d;
};

TEST_F(Log, WritesEachKindToItsFile)
{
    EXPECT_EQ(run(in("access"), in("error"), {access("a\nb\n"), error("e"), access("c\n")}), "");
    EXPECT_EQ(d.read("access"), "a\nb\nc\n");
    EXPECT_THAT(d.read("error"), MatchesRegex("....-..-.. ..:..:.. error: e\n"));
}

TEST_F(Log, WritesErrorsInJson)
{
    EXPECT_EQ(run(in("access"), in("error"), {access("{}\n"), error("e")}, log_form::json), "");
    EXPECT_EQ(d.read("access"), "{}\n");
    EXPECT_THAT(d.read("error"), MatchesRegex(".\"time\":\".*Z\",\"severity\":\"error\",\"message\":\"e\".\n"));
}

TEST_F(Log, NoTargetIsNoLog)
{
    EXPECT_EQ(run("", in("error"), {access("a\n"), error("e")}), "");
    EXPECT_THAT(d.read("error"), HasSubstr("error: e\n"));
    EXPECT_EQ(run(in("access"), "", {access("a\n"), error("e")}), "");
    EXPECT_EQ(d.read("access"), "a\n");
}

TEST_F(Log, AFullDiskIsToldOnceAndCounted)
{
    const std::string told = run("/dev/full", in("error"), {access("a\nb\n"), error("e"), access("c\n")});
    EXPECT_EQ(told.find("cannot be written"), told.rfind("cannot be written")) << told;
    EXPECT_THAT(told, HasSubstr("the access log cannot be written (No space left on device); lines are lost"));
    EXPECT_THAT(d.read("error"), HasSubstr("error: e\n"));
    EXPECT_THAT(d.read("error"), HasSubstr("warning: 3 lines of the access log were lost\n"));
}

TEST_F(Log, WhatWasLostIsSaidSomewhereInAnyCase)
{
    EXPECT_THAT(run("/dev/full", "", {access("a\nb\n")}), HasSubstr("2 lines of the access log were lost\n"));
    const std::string told = run("/dev/full", "/dev/full", {access("a\nb\n"), error("e")});
    EXPECT_THAT(told, HasSubstr("2 lines of the access log were lost\n"));
    EXPECT_THAT(told, HasSubstr("1 line of the error log was lost\n"));
}

/// Limits the size of files for the whole program: a log that reaches it behaves as on a full disk.
void limit_files_to(rlim_t bytes)
{
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit l{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = std::min(bytes, l.rlim_max);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &l), 0);
}

TEST_F(Log, GoesOnWhenThereIsRoomAgain)
{
    const act fills{[](const std::string&) { limit_files_to(200); }};
    const act clears{[](const std::string&) { limit_files_to(RLIM_INFINITY); }};
    const std::string early(100, 'a');
    const std::string part(150, 'b');
    const std::string told =
        run(in("access"), in("error"),
            {access(early + '\n'), fills, access(part + "\nc\n"), access("d\n"), clears, access("e\n"), access("f\n")});
    EXPECT_THAT(told, HasSubstr("(File too large)"));
    EXPECT_EQ(told.find("cannot be written"), told.rfind("cannot be written")) << told;
    // An incomplete line is ended, so that the next one stands alone.
    EXPECT_EQ(d.read("access"), early + '\n' + part.substr(0, 99) + "\ne\nf\n");
    EXPECT_THAT(d.read("error"), HasSubstr("warning: 3 lines of the access log were lost\n"));
}

TEST_F(Log, FilesAreOpenedAnew)
{
    const act moves{[](const std::string& in) {
        std::filesystem::rename(in + "/access", in + "/access.1");
        std::filesystem::rename(in + "/error", in + "/error.1");
    }};
    EXPECT_EQ(run(in("access"), in("error"),
                  {access("a\n"), error("x"), moves, access("b\n"), log_order::reopen, access("c\n"), error("z")}),
              "");
    EXPECT_EQ(d.read("access.1"), "a\nb\n");
    EXPECT_EQ(d.read("access"), "c\n");
    EXPECT_THAT(d.read("error.1"), HasSubstr("error: x\n"));
    EXPECT_THAT(d.read("error"), AllOf(HasSubstr(" notice: the logs were reopened\n"), HasSubstr(" error: z\n")));
}

TEST_F(Log, AFileThatCannotBeOpenedAnewGoesOn)
{
    std::filesystem::create_directory(in("sub"));
    const act moves{[](const std::string& in) { std::filesystem::rename(in + "/sub", in + "/moved"); }};
    EXPECT_EQ(run(in("sub/access"), in("error"), {access("a\n"), moves, log_order::reopen, access("b\n")}), "");
    EXPECT_EQ(d.read("moved/access"), "a\nb\n");
    EXPECT_THAT(d.read("error"), HasSubstr("error: the access log is still written to the old file: the log " +
                                           in("sub/access") + " cannot be opened: No such file or directory\n"));
    EXPECT_THAT(d.read("error"), Not(HasSubstr("were reopened")));
}

TEST_F(Log, OtherFilesHaveWhatComesAfterTheChange)
{
    const act is_left{[](const std::string& in) { std::filesystem::rename(in + "/access", in + "/left"); }};
    EXPECT_EQ(run(in("access"), in("error"),
                  {access("a\n"), error("x"), elsewhere{in("access2"), in("error2"), log_form::json, 2}, error("y"),
                   access("b\n"), heard(1), access("c\n", 1), access("d\n"), heard(1), is_complete{}, is_left,
                   access("e\n", 1), error("z")}),
              "");
    EXPECT_EQ(d.read("left"), "a\nb\nd\n");
    EXPECT_EQ(d.read("access2"), "c\ne\n");
    EXPECT_THAT(d.read("error"), MatchesRegex(".* error: x\n"));
    EXPECT_THAT(d.read("error2"), MatchesRegex("[{].*\"y\"[}]\n[{].*\"z\"[}]\n"));
}

TEST_F(Log, WhatIsNotNamedStaysWhereItIs)
{
    EXPECT_EQ(run(in("access"), in("error"),
                  {access("a\n"), elsewhere{.access = {}, .error = in("error2")}, access("b\n"), heard(1),
                   is_complete{}, access("c\n", 1), error("e"), elsewhere{.access = "", .error = {}}, heard(2),
                   is_complete{}, access("d\n", 2)}),
              "");
    EXPECT_EQ(d.read("access"), "a\nb\nc\n");
    EXPECT_EQ(d.read("error"), "");
    EXPECT_THAT(d.read("error2"), HasSubstr("error: e\n"));
}

TEST_F(Log, ALogThatIsLeftTellsWhatItLost)
{
    EXPECT_EQ(run("/dev/full", "",
                  {access("a\nb\n"), elsewhere{.access = in("access"), .error = in("error")}, access("c\n"), heard(1),
                   is_complete{}, access("d\n", 1)}),
              "occwserv: the access log cannot be written (No space left on device); lines are lost until it can\n");
    EXPECT_EQ(d.read("access"), "d\n");
    EXPECT_THAT(d.read("error"), HasSubstr("warning: 3 lines of the access log were lost\n"));
}

TEST_F(Log, TheEndMayComeInTheMiddleOfAChange)
{
    EXPECT_EQ(
        run(in("access"), in("error"), {access("a\n"), elsewhere{in("access2"), {}}, access("b\n"), access("c\n", 1)}),
        "");
    EXPECT_EQ(d.read("access"), "a\nb\n");
    EXPECT_EQ(d.read("access2"), "c\n");
}

/// A reader of datagrams.
class reader {
  public:
    explicit reader(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
    {
        sockaddr_un where{};
        where.sun_family = AF_UNIX;
        path.copy(where.sun_path, sizeof where.sun_path - 1);
        EXPECT_EQ(::bind(socket_.number(), reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
    }
    [[nodiscard]] std::optional<std::string> next() const
    {
        std::string text(10'000, '\0');
        const ssize_t got = ::recv(socket_.number(), text.data(), text.size(), 0);
        if (got < 0) return std::nullopt;
        text.resize(static_cast<std::size_t>(got));
        return text;
    }
    [[nodiscard]] std::vector<std::string> all() const
    {
        std::vector<std::string> texts;
        while (auto text = next()) texts.push_back(std::move(*text));
        return texts;
    }

  private:
    io::descriptor socket_;
};

TEST_F(Log, SendsEachLineAsADatagram)
{
    const reader syslog(in("syslog"));
    const reader journal(in("journal"));
    EXPECT_EQ(run("syslog:local0:" + in("syslog"), "journal:" + in("journal"), {access("a\nb\n"), error("e")}), "");
    EXPECT_THAT(syslog.all(), ElementsAre(MatchesRegex("<134>.* occwserv.*: a"), MatchesRegex("<134>.*: b")));
    EXPECT_THAT(journal.all(), ElementsAre(HasSubstr("MESSAGE=e\nPRIORITY=3\n")));
}

TEST_F(Log, ADatagramThatNobodyReadsIsLostAndTheNextIsNot)
{
    static std::optional<reader> comes;
    const act arrives{[](const std::string& in) { comes.emplace(in + "/syslog"); }};
    const act is_replaced{[](const std::string& in) {
        std::filesystem::remove(in + "/syslog");
        comes.emplace(in + "/syslog");
    }};
    const std::string told = run("syslog:" + in("syslog"), in("error"),
                                 {access("a\nb\n"), access("c\n"), arrives, access("d\n"), is_replaced, access("e\n")});
    EXPECT_EQ(told.find("cannot be written"), told.rfind("cannot be written")) << told;
    EXPECT_THAT(told, HasSubstr("the access log cannot be written (No such file or directory)"));
    EXPECT_THAT(comes->all(), ElementsAre(MatchesRegex(".*: e")));  // d was read by the one before
    comes.reset();
    EXPECT_THAT(d.read("error"), MatchesRegex(".*: 3 lines of the access log were lost\n"));
}

TEST_F(Log, AReaderWhoDoesNotReadIsNotWaitedForLong)
{
    static std::optional<reader> stuck;
    stuck.emplace(in("syslog"));
    static std::vector<std::string> got;
    const act reads{[](const std::string&) { got = stuck->all(); }};
    std::string many;
    for (int i = 0; i < 2000; ++i) many += "a\n";
    const std::string told =
        run("syslog:" + in("syslog"), in("error"), {access(many), access(many), reads, access("b\n")});
    const auto after = stuck->all();
    stuck.reset();
    EXPECT_EQ(told.find("cannot be written"), told.rfind("cannot be written")) << told;
    EXPECT_GT(got.size(), 0U);
    EXPECT_THAT(after, ElementsAre(MatchesRegex(".*: b")));
    EXPECT_THAT(d.read("error"),
                HasSubstr(" " + std::to_string(4000 - got.size()) + " lines of the access log were lost\n"));
}

std::string read_all(const std::string& fifo)
{
    const io::descriptor from(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    std::string all;
    std::array<char, 10'000> room{};
    for (ssize_t got = 0; (got = ::read(from.number(), room.data(), room.size())) > 0;) {
        all.append(room.data(), static_cast<std::size_t>(got));
    }
    return all;
}

TEST_F(Log, AStreamThatIsNotReadIsNotWaitedForLong)
{
    ASSERT_EQ(::mkfifo(in("pipe").c_str(), 0600), 0);
    static std::string got;
    const act reads{[](const std::string& in) { got = read_all(in + "/pipe"); }};
    std::string many;
    for (int i = 0; i < 30'000; ++i) many += "abcd\n";
    const std::string told = run(in("pipe"), in("error"),
                                 {access(many), access(many), error("e"), reads, access("b\n"), access("c\n"),
                                  act{[](const std::string& in) { got += read_all(in + "/pipe"); }}});
    EXPECT_THAT(told,
                HasSubstr("the access log cannot be written (its reader does not read); lines are lost until it can"));
    EXPECT_EQ(told.find("cannot be written"), told.rfind("cannot be written")) << told;
    EXPECT_THAT(got, MatchesRegex("(abcd\n)+[a-d]*\nb\nc\n"));
    const auto whole = std::ranges::count(got, 'd');
    EXPECT_THAT(d.read("error"), MatchesRegex(".* error: e\n.* " + std::to_string(60'000 - whole) +
                                              " lines of the access log were lost\n"));
}

/// A pipe in blocking mode: for the log it is a file whose disk hangs until the pipe is read.
class hanging_file {
  public:
    hanging_file()
    {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        reads_ = io::descriptor(ends[0]);
        writes_ = io::descriptor(ends[1]);
        ::fcntl(writes_.number(), F_SETPIPE_SZ, 4096);
    }
    [[nodiscard]] log_destination take()
    {
        return {.target = {.what = log_target::kind::stream}, .file = io::file(std::move(writes_))};
    }
    void break_off() { reads_ = io::descriptor(); }
    /// The present content of the pipe.
    [[nodiscard]] std::string read() const
    {
        std::string all;
        std::array<char, 4096> room{};
        pollfd there{.fd = reads_.number(), .events = POLLIN, .revents = 0};
        while (::poll(&there, 1, 0) == 1) {
            const ssize_t got = ::read(reads_.number(), room.data(), room.size());
            if (got <= 0) break;
            all.append(room.data(), static_cast<std::size_t>(got));
        }
        return all;
    }

  private:
    io::descriptor reads_;
    io::descriptor writes_;
};

class HangingLog : public testing::TestWithParam<io::engine_choice> {
  protected:
    void SetUp() override
    {
        if (const auto probed = io::probe(GetParam()); !probed) GTEST_SKIP() << probed.error();
    }
    test::scratch_directory d;
};

std::string thousand_lines()
{
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "123456789\n";
    return text;
}

/// The log's target hangs. The log must still take lines, drop those that exceed its limit, and end when ordered to.
csp::process log_into(csp::notebook<hanging_file> disk, csp::out<log_lines> to_log, csp::out<log_order> orders,
                      csp::in<log_end> ends)
{
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(co_await to_log.output(access(thousand_lines())));
    co_await to_log.output(error("e"));
    co_await orders.output(log_order::give_up);
    const auto end = co_await ends.input();
    EXPECT_TRUE(end && !end->is_complete);
    disk->break_off();  // so that the writer ends, which else only the end of the program does
}
csp::process hang(csp::notebook<hanging_file> disk, log_files files)
{
    csp::chan<log_lines> lines;
    csp::chan<log_order> orders;
    csp::chan<log_end> ends;
    csp::bridge<log_change> changes(csp::core::here());
    co_await csp::par(log(std::move(files), lines.rx(), orders.rx(), changes.rx(), ends.tx()),
                      log_into(disk, lines.tx(), orders.tx(), ends.rx()));
}

TEST_P(HangingLog, LosesLinesButHoldsNobodyUp)
{
    hanging_file disk;
    log_files files{
        .access = disk.take(), .error = *open_log(d.path() + "/error", STDERR_FILENO), .most_waiting = 100'000};
    std::signal(SIGPIPE, SIG_IGN);
    csp::kernel kernel({}, io::engines(GetParam()));
    testing::internal::CaptureStderr();
    EXPECT_EQ(kernel.run(hang(csp::notebook(disk), std::move(files))), csp::outcome::finished);
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("the access log cannot be written"));
    EXPECT_THAT(d.read("error"), HasSubstr("error: e\n"));
    EXPECT_THAT(d.read("error"), HasSubstr("20000 lines of the access log were lost\n"));
}

struct two_disks {
    hanging_file access;
    hanging_file error;
    std::string read_of_error;
};

/// Both logs hang while the access log is reopened and then replaced. The old one is given up. The error log has no
/// room to report the loss at that time; it reports it later.
csp::process leave_access_log(csp::notebook<two_disks> disks, std::string other, csp::out<log_lines> to_log,
                              csp::out<log_order> orders, csp::bridge_out<log_change> changes, csp::in<log_end> ends)
{
    co_await to_log.output(access(thousand_lines()));
    co_await to_log.output(error(std::string(5'000, 'x')));
    co_await to_log.output(error(std::string(1'000, 'y')));  // waits, and leaves no room for others
    co_await orders.output(log_order::reopen);
    csp::bridge<log_turn> reply(csp::core::here());
    csp::in<log_turn> complete = reply.rx();
    co_await changes.output({.to = {.access = opened(other, STDOUT_FILENO), .error = {}, .form = log_form::combined},
                             .back_ends = 1,
                             .complete = reply.tx()});
    co_await to_log.output(heard(1));
    EXPECT_TRUE(co_await complete.input());  // the old one is given up
    disks->access.break_off();
    const auto told = [&] {
        return disks->read_of_error.contains("lost") && disks->read_of_error.contains("reopened");
    };
    for (int i = 0; i < 60'000 && !told(); ++i) {
        disks->read_of_error += disks->error.read();
        co_await csp::sleep(std::chrono::milliseconds(1));
    }
    co_await orders.output(log_order::finish_present);
    EXPECT_TRUE(co_await ends.input());
    disks->read_of_error += disks->error.read();
}
csp::process hang_both(csp::notebook<two_disks> disks, std::string other, log_files files)
{
    csp::chan<log_lines> lines;
    csp::chan<log_order> orders;
    csp::chan<log_end> ends;
    csp::bridge<log_change> changes(csp::core::here());
    co_await csp::par(log(std::move(files), lines.rx(), orders.rx(), changes.rx(), ends.tx()),
                      leave_access_log(disks, std::move(other), lines.tx(), orders.tx(), changes.tx(), ends.rx()));
}

TEST_P(HangingLog, TellsLaterWhatALogLostThatIsGone)
{
    two_disks disks;
    log_files files{.access = disks.access.take(), .error = disks.error.take(), .most_waiting = 1'000};
    std::signal(SIGPIPE, SIG_IGN);
    csp::kernel kernel({}, io::engines(GetParam()));
    testing::internal::CaptureStderr();
    EXPECT_EQ(kernel.run(hang_both(csp::notebook(disks), d.path() + "/access", std::move(files))),
              csp::outcome::finished);
    testing::internal::GetCapturedStderr();
    EXPECT_THAT(disks.read_of_error, HasSubstr("1000 lines of the access log were lost\n"));
    EXPECT_THAT(disks.read_of_error, HasSubstr("the logs were reopened\n"));
}

INSTANTIATE_TEST_SUITE_P(engines, HangingLog, testing::Values(io::engine_choice::uring, io::engine_choice::epoll),
                         [](const auto& info) { return info.param == io::engine_choice::uring ? "uring" : "epoll"; });

TEST_F(Log, AnErrorLineHasTheTimeAndTheSeverity)
{
    const log_lines line = error_line("notice", "what", "id");
    EXPECT_EQ(line.which, log_kind::error);
    EXPECT_EQ(line.severity, "notice");
    EXPECT_EQ(line.text, "what");
    EXPECT_EQ(line.request, "id");
    EXPECT_LT(std::chrono::system_clock::now() - line.when, std::chrono::minutes(1));
}

}  // namespace
}  // namespace server
