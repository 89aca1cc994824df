// SPDX-License-Identifier: MIT
//
// The control socket, its sessions, the upgrades and the supervisor, with clients at real sockets and in virtual time:
// reloads, upgrades, signals and the end meet each other under many seeds.
#include "server/lifecycle/control.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "csp/alt.hpp"
#include "csp/ask.hpp"
#include "csp/bridge.hpp"
#include "csp/timer.hpp"
#include "io/signals.hpp"
#include "server/lifecycle/supervisor.hpp"
#include "server/messages/stop.hpp"
#include "server/service/listeners.hpp"
#include "server/stats/witness.hpp"
#include "server/testing/test_steward.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::Each;
using testing::SizeIs;
using testing::StartsWith;

// ---- stand-ins for the rest of the server

csp::process takes_lines(csp::in<log_lines> lines, csp::in<log_order> orders, csp::out<log_end> to_end)
{
    bool is_over = false;
    while (!is_over) {
        if (co_await csp::pri_alt(orders, lines) == orders) {
            const auto order = co_await orders.input();
            is_over = order != log_order::reopen;
        } else {
            (void)co_await lines.input();
        }
    }
    while (co_await lines.input()) {
    }
    {
        const auto closed = std::move(orders);
    }
    co_await to_end.output({});
}

csp::process serves(csp::in<stop> stops, csp::out<tally> totals, csp::duration end_takes)
{
    (void)co_await stops.input();
    co_await csp::sleep(end_takes);
    co_await totals.output({});
}

csp::process reads_configurations(csp::in<reload_request> requests, csp::in<stop> ending, csp::duration takes)
{
    while (auto request = co_await requests.input()) {
        const csp::timeout time_to_read = csp::after(takes);
        reload_answer became;
        became.taken = co_await csp::pri_alt(ending, time_to_read) != ending;
        if (!became.taken) became.mistakes.emplace_back("the server is already stopping");
        co_await request->answer.output(std::move(became));
    }
}

struct seen {
    int lent = 0;
    int refused = 0;
    int agreed = 0;
    int supervised = 0;  // 1 once the supervisor has ended
};

/// An attempt, as far as the supervisor knows.
csp::process asks_for_the_place(csp::shared_out<supervisor_order> to_supervisor, csp::notebook<seen> notes)
{
    const auto lent = co_await csp::ask(to_supervisor, lend_sockets{});
    ++(lent ? notes->lent : notes->refused);
    if (!lent) co_return;
    co_await csp::sleep(2ms);
    if (co_await csp::ask(to_supervisor, handed_over{.to = 1})) ++notes->agreed;
}

/// A supervisor that has no sockets to lend, or is ending.
csp::process lends_nothing(csp::in<supervisor_order> orders, csp::out<stop> while_serving, csp::duration serves_for)
{
    const csp::timeout end = csp::after(serves_for);
    bool ends = false;
    while (!ends) {
        const csp::timeout pause = csp::after(1ms);
        if (co_await csp::pri_alt(end, orders) == end) break;
        auto order = co_await orders.input();
        if (!order) co_return;
        auto* const lend = std::get_if<lend_sockets>(&*order);
        EXPECT_NE(lend, nullptr);
        if (lend == nullptr) co_return;
        const auto chosen = co_await csp::pri_alt(end, orders, pause);
        EXPECT_FALSE(chosen == orders) << "two attempts at once";
        ends = chosen == end;
        if (!ends) co_await lend->answer.output(loan{.sockets = {}, .patience = {}, .problem = "no socket"});
    }
    {
        const auto closed = std::move(while_serving);
    }
    while (co_await orders.input()) {
    }
}

// ---- upgrades by themselves

csp::process asks_for_an_upgrade(csp::shared_out<upgrade_request> to_upgrades, csp::duration when,
                                 csp::notebook<std::vector<std::string>> answers)
{
    co_await csp::sleep(when);
    csp::chan<upgrade_answer> reply;
    csp::in<upgrade_answer> replies = reply.rx();
    if (!co_await to_upgrades.output({.binary = {}, .answer = reply.tx()})) co_return;
    auto answer = co_await replies.input();
    answers->push_back(!answer ? "closed" : *answer ? "done" : answer->error());
}

TEST(Upgrades, AnswerEverybodyAndEnd)
{
    static constexpr int askers = 8;
    csp::for_seeds(200, [](std::uint64_t seed) {
        std::mt19937_64 random(seed);
        const auto some_time = [&] { return std::chrono::microseconds(random() % 10'000); };
        const test::scratch_directory d;
        std::vector<std::string> answers;
        csp::test_kernel k(seed);
        {
            csp::chan<supervisor_order> orders;
            csp::chan<log_lines> lines;
            csp::chan<upgrade_request> requests;
            csp::chan<stop> ending;
            k.start(upgrades({}, d.path() + "/control", requests.rx(), ending.rx(),
                             {{}, orders.shared_tx(), lines.shared_tx()}));
            k.start(lends_nothing(orders.rx(), ending.tx(), some_time()));
            k.start(test::sink(lines.rx()));
            for (int i = 0; i < askers; ++i) {
                k.start(asks_for_an_upgrade(requests.shared_tx(), some_time(), csp::notebook(answers)));
            }
        }
        k.run();
        EXPECT_TRUE(k.all_ended()) << k.post_mortem();
        EXPECT_THAT(answers, SizeIs(askers));
        EXPECT_THAT(answers, Each(AnyOf(StartsWith("no socket"), StartsWith("an upgrade is in progress"),
                                        StartsWith("the server is already stopping"))));
    });
}

// ---- the whole of it

class Control : public testing::Test {
  protected:
    void SetUp() override
    {
        sigset_t ours;
        sigemptyset(&ours);
        sigaddset(&ours, SIGHUP);
        sigaddset(&ours, SIGUSR1);
        ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &ours, &before_), 0);
    }
    void TearDown() override { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

/// A server without anything that serves, and its clients.
class operated {
  public:
    struct options {
        csp::duration reload_takes = 4ms;
        csp::duration end_takes = 3ms;
        std::vector<listening> listeners = {};
        predecessor old_server = {};
    };
    explicit operated(std::uint64_t seed) : operated(seed, options()) {}
    operated(std::uint64_t seed, options o) : k_(seed)
    {
        auto socket =
            open_control_socket(path(), std::nullopt, o.old_server ? place_taken::stay_beside : place_taken::refuse);
        EXPECT_TRUE(socket);
        csp::chan<log_lines> lines;
        csp::chan<log_order> log_orders;
        csp::chan<log_end> logs_end;
        csp::chan<supervisor_order> orders;
        csp::chan<tally> totals;
        csp::chan<predecessor> predecessors;
        csp::chan<upgrade_request> upgrade_requests;
        csp::chan<stop> over, ending;
        csp::bridge<core_question> questions(k_.on());
        csp::bridge<reload_request> reloads(k_.on());
        csp::bridge<stop> reloads_end(k_.on());
        csp::bridge<stop> stops(k_.on());
        std::vector<csp::bridge_out<core_question>> to_witnesses{questions.tx()};
        supervisor_setup with;
        with.configured.grace = 1s;
        with.signals = *io::signal_set::open({SIGHUP, SIGUSR1});
        with.steward = given_a_steward(o.listeners);
        with.configured.sockets.opened = std::move(o.listeners);
        with.old_server = std::move(o.old_server);
        to_supervisor_ = orders.shared_tx();

        k_.start(takes_lines(lines.rx(), log_orders.rx(), logs_end.tx()));
        k_.start(serves(stops.rx(), totals.tx(), o.end_takes));
        k_.start(reads_configurations(reloads.rx(), reloads_end.rx(), o.reload_takes));
        k_.start(workshop_witness(questions.rx()));
        k_.start(upgrades({}, path(), upgrade_requests.rx(), ending.rx(), {{}, orders.shared_tx(), lines.shared_tx()}));
        k_.start(control(std::move(*socket), over.rx(), predecessors.rx(),
                         {to_witnesses, orders.shared_tx(), upgrade_requests.shared_tx(), lines.shared_tx()}));
        std::vector<csp::out<stop>> while_serving;
        while_serving.push_back(ending.tx());
        std::vector<csp::bridge_out<stop>> to_cores{stops.tx()};
        k_.start(supervisor(std::move(with), {.orders = orders.rx(),
                                              .totals = totals.rx(),
                                              .logs_end = logs_end.rx(),
                                              .to_config = {reloads.tx(), reloads_end.tx()},
                                              .to_logs = log_orders.tx(),
                                              .to_cores = std::move(to_cores),
                                              .to_witnesses = std::move(to_witnesses),
                                              .to_log = lines.shared_tx(),
                                              .to_control = predecessors.tx(),
                                              .while_serving = std::move(while_serving),
                                              .until_end = {over.shared_tx()}}));
        k_.settle_with_sockets();
    }

    /// A client that has said this.
    io::descriptor client(std::string_view says)
    {
        io::descriptor c(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un where{};
        where.sun_family = AF_UNIX;
        path().copy(where.sun_path, sizeof where.sun_path - 1);
        EXPECT_EQ(::connect(c.number(), reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
        EXPECT_EQ(::send(c.number(), says.data(), says.size(), MSG_NOSIGNAL), static_cast<ssize_t>(says.size()));
        return c;
    }
    void attempt(csp::notebook<seen> notes) { k_.start(asks_for_the_place(*to_supervisor_, notes)); }
    /// Nobody outside has an order any more.
    void no_more_attempts() { to_supervisor_.reset(); }

    void pass(std::chrono::milliseconds time)
    {
        for (; time > 0ms; time -= 1ms) {
            k_.settle_with_sockets();
            k_.run_for(1ms);
        }
        k_.settle_with_sockets();
    }
    /// Then it has done all that it was asked.
    void let_steward_end() { steward_.reset(); }
    [[nodiscard]] bool has_ended() const { return k_.all_ended(); }
    [[nodiscard]] std::string post_mortem() const { return k_.post_mortem(); }
    [[nodiscard]] std::string path() const { return d_.path() + "/control"; }

  private:
    test::scratch_directory d_;
    /// Has a steward only if it has listeners, whose files the steward removes.
    steward_line given_a_steward(const std::vector<listening>& listeners)
    {
        if (listeners.empty()) return {};
        steward_rules rules;
        for (const listening& l : listeners) rules.made.push_back({l.address, l.file});
        steward_ = std::make_unique<test::test_steward>(std::move(rules));
        return steward_->line().another();
    }

    std::unique_ptr<test::test_steward> steward_;
    test::engine_kernel k_;
    std::optional<csp::shared_out<supervisor_order>> to_supervisor_;
};

/// What the client has been sent; nothing as long as its connection is open.
std::optional<std::string> answer_to(const io::descriptor& client)
{
    std::string all(10'000, '\0');
    std::size_t size = 0;
    for (;;) {
        const ssize_t got = ::recv(client.number(), all.data() + size, all.size() - size, 0);
        if (got < 0 && errno == EAGAIN) return std::nullopt;
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    all.resize(size);
    return all;
}

/// Whether the connection of a client that has its answer is still open.
bool is_open(const io::descriptor& client)
{
    std::array<char, 100> room{};
    ssize_t got = 1;
    while (got > 0) got = ::recv(client.number(), room.data(), room.size(), 0);
    return got < 0 && errno == EAGAIN;
}

TEST_F(Control, SilentClientsDoNotHoldUpTheEnd)
{
    csp::for_seeds(20, [](std::uint64_t seed) {
        operated server(seed);
        const io::descriptor says_nothing = server.client("");
        const io::descriptor says_a_part = server.client("stat");
        const io::descriptor asks = server.client("status\n");
        server.pass(1ms);
        EXPECT_THAT(answer_to(asks).value_or(""), StartsWith("ok\noccwserv "));
        EXPECT_FALSE(answer_to(says_nothing));
        const io::descriptor stops = server.client("stop\n");
        server.no_more_attempts();
        server.pass(100ms);  // a client has five seconds to speak
        EXPECT_TRUE(server.has_ended()) << server.post_mortem();
        EXPECT_EQ(answer_to(stops), "ok\n");
        EXPECT_EQ(answer_to(says_nothing), "");
        EXPECT_EQ(answer_to(says_a_part), "");
    });
}

TEST_F(Control, ReloadsUpgradesSignalsAndTheEndMeet)
{
    csp::for_seeds(200, [](std::uint64_t seed) {
        std::mt19937_64 random(seed);
        seen notes;
        operated server(seed);
        std::vector<io::descriptor> reloads;
        std::vector<io::descriptor> asks;
        std::vector<int> acts{0, 0, 0, 1, 1, 2, 2, 3, 4};
        std::ranges::shuffle(acts, random);
        for (const int act : acts) {
            if (act == 0) reloads.push_back(server.client("reload\n"));
            if (act == 1) asks.push_back(server.client("status\n"));
            if (act == 2) ::pthread_kill(::pthread_self(), SIGHUP);
            if (act == 3) ::pthread_kill(::pthread_self(), SIGUSR1);
            if (act == 4) server.attempt(csp::notebook(notes));
            server.pass(std::chrono::milliseconds(random() % 4));
            if (notes.agreed > 0) break;
        }
        std::optional<io::descriptor> stops;
        if (seed % 2 == 0) server.pass(100ms);
        const bool end_is_late = seed % 2 == 0 && notes.agreed == 0;
        if (notes.agreed == 0) stops = server.client("stop\n");
        server.no_more_attempts();
        server.pass(200ms);
        EXPECT_TRUE(server.has_ended()) << server.post_mortem();
        for (const auto& client : reloads) {
            const std::string answer = answer_to(client).value_or("none");
            if (!end_is_late && answer.starts_with("error\nthe server is already stopping")) continue;
            EXPECT_THAT(answer, StartsWith("ok\nconfiguration reloaded"));
        }
        for (const auto& client : asks) EXPECT_THAT(answer_to(client).value_or("none"), StartsWith("ok\noccwserv "));
        if (stops) EXPECT_THAT(answer_to(*stops).value_or("none"), AnyOf("ok\n", ""));
        EXPECT_LE(notes.agreed, 1);
    });
}

TEST_F(Control, TheEndCancelsAReloadThatTakesLong)
{
    csp::for_seeds(50, [](std::uint64_t seed) {
        operated server(seed, {.reload_takes = 10s});
        const io::descriptor first = server.client("reload\n");
        server.pass(5ms);
        const io::descriptor second = server.client("reload\n");
        const io::descriptor asks = server.client("status\n");
        server.pass(5ms);
        EXPECT_THAT(answer_to(asks).value_or("none"), StartsWith("ok\noccwserv "));
        EXPECT_FALSE(answer_to(first));
        EXPECT_FALSE(answer_to(second));
        const io::descriptor stops = server.client("stop\n");
        server.no_more_attempts();
        server.pass(200ms);
        EXPECT_TRUE(server.has_ended()) << server.post_mortem();
        for (const auto* client : {&first, &second}) {
            EXPECT_THAT(answer_to(*client).value_or("none"), StartsWith("error\nthe server is already stopping"));
        }
        EXPECT_EQ(answer_to(stops), "ok\n");
    });
}

TEST_F(Control, EveryClientOfStopWaitsForTheEnd)
{
    csp::for_seeds(50, [](std::uint64_t seed) {
        operated server(seed, {.end_takes = 100ms});
        std::vector<io::descriptor> clients;
        for (int i = 0; i < 3; ++i) {
            clients.push_back(server.client("stop\n"));
            server.pass(10ms);
        }
        server.no_more_attempts();
        server.pass(40ms);
        EXPECT_FALSE(server.has_ended());
        for (const io::descriptor& c : clients) EXPECT_TRUE(is_open(c));
        server.pass(200ms);
        EXPECT_TRUE(server.has_ended()) << server.post_mortem();
        for (const io::descriptor& c : clients) EXPECT_FALSE(is_open(c));
    });
}

/// A listener at a unix address, and the line to an old server.
struct inherited_things {
    inherited_things()
    {
        auto listener = io::listen(*io::address::parse(address));
        EXPECT_TRUE(listener);
        listeners.push_back({address, std::move(*listener), file_of(address)});
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
        of_old_server = io::descriptor(ends[0]);
        old_server = predecessor(io::descriptor(ends[1]));
    }
    [[nodiscard]] bool has_file() const { return static_cast<bool>(file_of(address)); }
    [[nodiscard]] std::string said() const
    {
        std::string text(100, '\0');
        const ssize_t got = ::recv(of_old_server.number(), text.data(), text.size(), MSG_DONTWAIT);
        text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return text;
    }

    test::scratch_directory d;
    std::string address = "unix:" + d.path() + "/s";
    std::vector<listening> listeners;
    io::descriptor of_old_server;
    predecessor old_server;
};

TEST_F(Control, AnEndDuringTheHandOverLeavesTheOldServerItsSocketFiles)
{
    csp::for_seeds(20, [](std::uint64_t seed) {
        for (const bool is_handed_over : {false, true}) {
            inherited_things given;
            operated server(seed, {.listeners = std::move(given.listeners), .old_server = std::move(given.old_server)});
            server.pass(1ms);
            EXPECT_EQ(given.said(), "ready\n");
            EXPECT_FALSE(std::filesystem::exists(server.path()));
            EXPECT_EQ(::send(given.of_old_server.number(), "take\n", 5, MSG_NOSIGNAL), 5);
            server.pass(1ms);
            EXPECT_EQ(given.said(), "here\n");
            if (is_handed_over) given.of_old_server = {};
            const io::descriptor stops = server.client("stop\n");
            server.no_more_attempts();
            server.pass(100ms);
            EXPECT_TRUE(server.has_ended()) << server.post_mortem();
            server.let_steward_end();
            EXPECT_EQ(given.has_file(), !is_handed_over);
        }
    });
}

TEST_F(Control, IsTakenOverWhenTheOldServerHasEnded)
{
    csp::for_seeds(20, [](std::uint64_t seed) {
        inherited_things given;
        operated server(seed, {.listeners = std::move(given.listeners), .old_server = std::move(given.old_server)});
        server.pass(1ms);
        given.of_old_server = {};
        server.pass(1ms);
        const io::descriptor asks = server.client("status\n");
        const io::descriptor stops = server.client("stop\n");
        server.no_more_attempts();
        server.pass(100ms);
        EXPECT_TRUE(server.has_ended()) << server.post_mortem();
        EXPECT_THAT(answer_to(asks).value_or("none"), StartsWith("ok\noccwserv "));
        server.let_steward_end();
        EXPECT_FALSE(given.has_file());
    });
}

}  // namespace
}  // namespace server
