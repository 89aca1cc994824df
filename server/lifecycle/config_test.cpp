// SPDX-License-Identifier: MIT
//
// Reloads with the real config, supervisor and log, and stand-ins for the cores: configurations that are right and
// wrong, several orders at once, the end at any moment, and no memory at each place where config asks for it. After
// each reload every core has the whole of one configuration.
#include "server/lifecycle/config.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "csp/alt.hpp"
#include "csp/ask.hpp"
#include "csp/bridge.hpp"
#include "io/signals.hpp"
#include "server/commands/command_line.hpp"
#include "server/lifecycle/supervisor.hpp"
#include "server/service/listeners.hpp"
#include "server/stats/witness.hpp"
#include "server/testing/fault_injection.hpp"
#include "server/testing/test_steward.hpp"
#include "server/testing/test_support.hpp"

// The supervisor exits from the program, with success, when something hangs. In a test that would hide all that
// follows. NOLINTNEXTLINE(bugprone-reserved-identifier, cert-dcl37-c, cert-dcl51-cpp): in place of the C library's
extern "C" void _Exit(int /*status*/) noexcept
{
    std::fputs("the supervisor exits from the program\n", stderr);
    std::abort();
}

namespace server {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t cores = 2;

/// A configuration as the test writes it. The limit of connections tells one from another.
struct written {
    unsigned connections = 10;
    std::string root = "site";
    std::string error_log = "error.log";
    std::vector<std::string> sockets{"always"};  // names of unix sockets
};

/// What a core has of the configuration.
struct of_core {
    std::size_t connections = 0;
    std::size_t cache_bytes = 0;
    std::vector<std::string> addresses;
};

/// Stands for parking, cache_control, the back end and the acceptors of a core.
csp::process stands_for_core(std::vector<listening> listeners, csp::in<freezable_policy> policies,
                             csp::in<access_log> formats, csp::in<cache_room> rooms,
                             csp::in<listening_change> addresses, csp::in<stop> stops,
                             csp::shared_out<log_lines> to_log, csp::shared_out<stop> until_end,
                             csp::notebook<of_core> notes)
{
    log_turn turn = 0;
    for (;;) {
        notes->addresses = addresses_of(listeners);
        const auto chosen = co_await csp::fair_alt(stops, csp::while_open(policies), csp::while_open(formats),
                                                   csp::while_open(rooms), csp::while_open(addresses));
        if (chosen == stops) co_return;
        if (chosen == policies) {
            notes->connections = (*co_await policies.input())->connections;
        } else if (chosen == formats) {
            (void)co_await formats.input();
            co_await to_log.output({.which = log_kind::turn, .text = {}, .turn = ++turn});
        } else if (chosen == rooms) {
            notes->cache_bytes = (co_await rooms.input())->bytes;
        } else {
            auto change = co_await addresses.input();
            std::erase_if(listeners, [&](const listening& l) { return change->closes(l.address); });
            std::ranges::move(change->opened, std::back_inserter(listeners));
        }
    }
}

/// Stands for stats: the total comes when all cores have ended.
csp::process sums(csp::in<stop> cores_run, csp::out<tally> totals)
{
    (void)co_await cores_run.input();
    co_await totals.output({});
}

struct answers {
    unsigned open = 0;  // orders that have no answer yet
    std::vector<reload_answer> came;
};

csp::process orders_a_reload(csp::shared_out<supervisor_order> to_supervisor, csp::notebook<answers> notes)
{
    ++notes->open;
    auto answer = co_await csp::ask(to_supervisor, reload_order{.who = "test"});
    --notes->open;
    notes->came.push_back(answer ? std::move(*answer) : reload_answer{.mistakes = {"no answer"}});
}
csp::process asks_status(csp::shared_out<supervisor_order> to_supervisor, csp::notebook<std::string> served)
{
    *served = (co_await csp::ask(to_supervisor, ask_what_is_served{})).value_or("ending");
}
csp::process orders_the_end(csp::shared_out<supervisor_order> to_supervisor)
{
    co_await to_supervisor.output(end_server{});
}

/// The control plane of a server, in a directory of its own.
class reloaded {
  public:
    explicit reloaded(std::uint64_t seed) : k_(seed)
    {
        std::filesystem::create_directory(d_.path() + "/site");
        std::filesystem::create_directory(d_.path() + "/other");
        const written first;
        configure(first);
        const std::vector<std::string> words{"occwserv", "--config", d_.path() + "/occwserv.toml"};
        auto s = read_command_line(words);
        EXPECT_TRUE(s);
        steward_ = std::make_unique<test::test_steward>(test::test_steward::for_command(words));
        auto open = move_addresses({}, *s, steward_->line());
        EXPECT_TRUE(open);
        auto error_log = open_log(s->log.error, -1);
        EXPECT_TRUE(error_log);

        csp::chan<log_lines> lines;
        csp::chan<log_order> log_orders;
        csp::chan<log_end> logs_end;
        csp::chan<supervisor_order> orders;
        csp::chan<tally> totals;
        csp::chan<stop> cores_run;
        csp::chan<predecessor> predecessors;
        csp::bridge<log_change> log_changes(k_.on());
        csp::bridge<core_question> questions(k_.on());
        csp::bridge<reload_request> reloads(k_.on());
        csp::bridge<stop> reloads_end(k_.on());
        std::vector<csp::bridge_out<stop>> to_cores;
        std::vector<configured_core> to_configure;
        for (std::size_t i = 0; i < cores; ++i) {
            csp::bridge<freezable_policy> policies(k_.on());
            csp::bridge<access_log> formats(k_.on());
            csp::bridge<cache_room> rooms(k_.on());
            csp::bridge<listening_change> addresses(k_.on());
            csp::bridge<stop> stops(k_.on());
            to_configure.push_back({policies.tx(), formats.tx(), rooms.tx(), addresses.tx()});
            to_cores.push_back(stops.tx());
            at_core_[i] = {.connections = first.connections, .cache_bytes = bytes_of(first), .addresses = {}};
            k_.start(stands_for_core(std::move(open->for_cores[i].opened), policies.rx(), formats.rx(), rooms.rx(),
                                     addresses.rx(), stops.rx(), lines.shared_tx(), cores_run.shared_tx(),
                                     csp::notebook(at_core_[i])));
        }
        supervisor_setup with;
        with.configured = {10s, what_is_served(*s), std::move(open->for_supervisor)};
        with.engine = "test";
        with.signals = *io::signal_set::open({SIGHUP});
        with.steward = steward_->line().another();
        to_supervisor_ = orders.shared_tx();

        k_.start(log({.access = {}, .error = std::move(*error_log), .steward = steward_->line().another()}, lines.rx(),
                     log_orders.rx(), log_changes.rx(), logs_end.tx()));
        k_.start(sums(cores_run.rx(), totals.tx()));
        k_.start(workshop_witness(questions.rx()));
        k_.start(config(std::move(*s), {.program = "", .arguments = words}, steward_->line().another(), reloads.rx(),
                        reloads_end.rx(), std::move(to_configure), log_changes.tx()));
        k_.start(supervisor(std::move(with), {.orders = orders.rx(),
                                              .totals = totals.rx(),
                                              .logs_end = logs_end.rx(),
                                              .to_config = {reloads.tx(), reloads_end.tx()},
                                              .to_logs = log_orders.tx(),
                                              .to_cores = std::move(to_cores),
                                              .to_witnesses = {questions.tx()},
                                              .to_log = lines.shared_tx(),
                                              .to_control = predecessors.tx(),
                                              .while_serving = {},
                                              .until_end = {}}));
        k_.settle_with_sockets();
    }

    /// Writes the configuration file. The next reload reads it.
    void configure(const written& w)
    {
        std::string listen;
        for (const std::string& name : w.sockets) listen += fmt::format("\"{}\", ", address(name));
        d_.write("occwserv.toml",
                 fmt::format("root = \"{0}/{1}\"\nworkers = {2}\nlisten = [{3}]\n"
                             "[log]\naccess = \"\"\nerror = \"{0}/{4}\"\n"
                             "[limits]\nconnections = {5}\n[cache]\nmemory_bytes = {6}\n",
                             d_.path(), w.root, cores, listen, w.error_log, w.connections, bytes_of(w)));
    }
    void write_nonsense() { d_.write("occwserv.toml", "listen = 1\nnonsense = 2\n"); }

    void order_reload() { k_.start(orders_a_reload(*to_supervisor_, csp::notebook(answers_))); }
    void order_end()
    {
        k_.start(orders_the_end(std::move(*to_supervisor_)));
        to_supervisor_.reset();
    }
    void ask_status() { k_.start(asks_status(*to_supervisor_, csp::notebook(served_))); }

    /// Runs until all orders are answered, or the server has ended if it was told to.
    void finish()
    {
        drive([&] { return answers_.open == 0 && (to_supervisor_ || k_.all_ended()); });
        k_.settle_with_sockets();
    }
    /// A few steps of the whole.
    void go_on(unsigned steps)
    {
        while (steps-- > 0) (void)k_.on().run_round();
    }
    /// The file system of a log does not answer, or does again.
    void let_logs_hang() { ::kill(steward_->process(), SIGSTOP); }
    void let_logs_answer() { ::kill(steward_->process(), SIGCONT); }
    void let_time_pass(std::chrono::seconds time) { k_.run_for(time); }

    void reload_until_taken()
    {
        drive([&] {
            const bool is_taken = !answers_.came.empty() && answers_.came.back().taken;
            if (!is_taken && answers_.open == 0) order_reload();
            return is_taken;
        });
    }

    std::vector<reload_answer> take_answers() { return std::exchange(answers_.came, {}); }
    [[nodiscard]] const std::string& served() const { return served_; }
    [[nodiscard]] std::string address(const std::string& name) const { return "unix:" + d_.path() + "/" + name; }
    [[nodiscard]] bool has_socket(const std::string& name) const { return static_cast<bool>(file_of(address(name))); }
    /// Waits until the steward has removed the socket. False if it does not.
    [[nodiscard]] bool loses_socket(const std::string& name) const
    {
        return test::comes_true([&] { return !has_socket(name); });
    }
    [[nodiscard]] std::string text_of(const std::string& file) const { return d_.read(file); }
    [[nodiscard]] bool has_ended() const { return k_.all_ended(); }
    [[nodiscard]] std::uint32_t faulted() const { return k_.faulted(); }
    [[nodiscard]] std::string post_mortem() const { return k_.post_mortem(); }

    /// That every core has this configuration, and no other.
    void expect_in_force(const written& w) const
    {
        for (const of_core& core : at_core_) {
            EXPECT_EQ(core.connections, w.connections);
            EXPECT_EQ(core.cache_bytes, bytes_of(w));
            std::vector<std::string> wanted;
            wanted.reserve(w.sockets.size());
            for (const std::string& name : w.sockets) wanted.push_back(address(name));
            EXPECT_THAT(core.addresses, testing::UnorderedElementsAreArray(wanted));
        }
    }

  private:
    static std::size_t bytes_of(const written& w) { return std::size_t{1'000'000} + w.connections; }

    template <class Condition>
    void drive(Condition is_so)
    {
        const auto enough = std::chrono::steady_clock::now() + 60s;
        for (k_.settle_with_sockets(); !is_so(); k_.settle_with_sockets()) {
            ASSERT_LT(std::chrono::steady_clock::now(), enough) << k_.post_mortem();
            k_.engine().wait(std::chrono::steady_clock::now() + 1ms);
            k_.run_for(std::chrono::microseconds(10));
        }
    }

    test::scratch_directory d_;
    std::unique_ptr<test::test_steward> steward_;
    std::array<of_core, cores> at_core_;
    answers answers_;
    std::string served_;
    test::engine_kernel k_;
    std::optional<csp::shared_out<supervisor_order>> to_supervisor_;
};

class Config : public testing::Test {
  protected:
    void SetUp() override
    {
        sigset_t ours;
        sigemptyset(&ours);
        sigaddset(&ours, SIGHUP);
        ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &ours, &before_), 0);
    }
    void TearDown() override { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

/// A change of everything that a reload may change.
written another() { return {.connections = 20, .root = "other", .error_log = "new.log", .sockets = {"always", "new"}}; }

/// Configurations that are refused, and a part of the reason.
struct refused {
    written how;
    const char* why;
};
std::array<refused, 3> refused_ones()
{
    return {
        refused{{.connections = 30, .root = "nowhere", .sockets = {"always", "bad"}}, "nowhere"},
        refused{{.connections = 30, .error_log = "nowhere/log", .sockets = {"always", "bad"}}, "nowhere/log"},
        refused{{.connections = 30, .error_log = "bad.log", .sockets = {"always", "site", "bad"}}, "cannot listen on"},
    };
}

testing::Matcher<reload_answer> is_taken() { return testing::Field(&reload_answer::taken, true); }
testing::Matcher<reload_answer> is_refused(const std::string& why)
{
    return testing::AllOf(testing::Field(&reload_answer::taken, false),
                          testing::Field(&reload_answer::mistakes, Contains(HasSubstr(why))));
}

TEST_F(Config, PutsAllOfAConfigurationInForce)
{
    csp::for_seeds(10, [](std::uint64_t seed) {
        reloaded server(seed);
        server.expect_in_force({});
        server.configure(another());
        server.order_reload();
        server.finish();
        EXPECT_THAT(server.take_answers(), ElementsAre(is_taken()));
        server.expect_in_force(another());
        server.ask_status();
        server.finish();
        EXPECT_THAT(server.served(), HasSubstr("/other on http://" + server.address("new")));
        server.configure({});
        server.order_reload();
        server.finish();
        EXPECT_THAT(server.take_answers(), ElementsAre(is_taken()));
        server.expect_in_force({});
        EXPECT_TRUE(server.loses_socket("new"));
        EXPECT_THAT(server.text_of("new.log"), HasSubstr("configuration reloaded"));
        server.order_end();
        server.finish();
        EXPECT_TRUE(server.has_ended()) << server.post_mortem();
        EXPECT_TRUE(server.loses_socket("always"));
    });
}

TEST_F(Config, LeavesTheOldOneInForceIfTheNewIsRefused)
{
    csp::for_seeds(10, [](std::uint64_t seed) {
        reloaded server(seed);
        server.write_nonsense();
        server.order_reload();
        server.finish();
        EXPECT_THAT(server.take_answers(), ElementsAre(is_refused("unknown key `nonsense`")));
        for (const refused& one : refused_ones()) {
            server.configure(one.how);
            server.order_reload();
            server.finish();
            EXPECT_THAT(server.take_answers(), ElementsAre(is_refused(one.why)));
            server.expect_in_force({});
            EXPECT_TRUE(server.loses_socket("bad"));
            EXPECT_EQ(server.text_of("bad.log"), "") << "no file is made for a configuration that is refused";
        }
        server.order_end();
        server.finish();
        EXPECT_TRUE(server.has_ended()) << server.post_mortem();
    });
}

TEST_F(Config, ReloadsMeetEachOtherAndTheEnd)
{
    csp::for_seeds(40, [](std::uint64_t seed) {
        std::mt19937_64 random(seed);
        reloaded server(seed);
        written in_force;
        for (unsigned round = 0; round < 4; ++round) {
            const auto all_refused = refused_ones();
            const refused* const wrong = random() % 2 == 0 ? &all_refused[random() % all_refused.size()] : nullptr;
            written next = wrong != nullptr ? wrong->how : random() % 2 == 0 ? another() : written{};
            if (wrong == nullptr) next.connections += round;
            server.configure(next);
            const unsigned orders = 1 + random() % 3;
            for (unsigned i = 0; i < orders; ++i) {
                server.order_reload();
                if (random() % 2 == 0) ::pthread_kill(::pthread_self(), SIGHUP);
                server.ask_status();
                server.go_on(random() % 4);
            }
            server.finish();
            server.order_reload();  // is served after those that SIGHUP has asked for
            server.finish();
            const auto came = server.take_answers();
            EXPECT_THAT(came, testing::SizeIs(orders + 1));
            for (const reload_answer& a : came) EXPECT_THAT(a, wrong != nullptr ? is_refused(wrong->why) : is_taken());
            if (wrong == nullptr) in_force = next;
            server.expect_in_force(in_force);
        }
        // Not another log: if one is being opened when the server ends, the supervisor exits from the program.
        written last = another();
        last.error_log = in_force.error_log;
        server.configure(last);
        server.order_reload();
        server.go_on(random() % 40);
        server.order_reload();
        server.order_end();
        server.finish();
        EXPECT_TRUE(server.has_ended()) << server.post_mortem();
        EXPECT_EQ(server.faulted(), 0U);
        for (const reload_answer& a : server.take_answers()) {
            EXPECT_THAT(a, AnyOf(is_taken(), is_refused("no answer")));
        }
        for (const char* name : {"always", "new", "bad"}) EXPECT_TRUE(server.loses_socket(name)) << name;
    });
}

TEST_F(Config, OpensNoAddressWhileALogHangs)
{
    csp::for_seeds(5, [](std::uint64_t seed) {
        reloaded server(seed);
        server.configure(another());
        server.let_logs_hang();
        server.order_reload();
        server.go_on(100);
        EXPECT_FALSE(server.has_socket("new"));
        server.let_time_pass(11s);
        server.finish();
        EXPECT_THAT(server.take_answers(), ElementsAre(is_refused("no answer from its file system")));
        server.expect_in_force({});
        EXPECT_FALSE(server.has_socket("new"));
        server.let_logs_answer();
        server.reload_until_taken();
        server.expect_in_force(another());
        server.order_end();
        server.finish();
        EXPECT_TRUE(server.has_ended()) << server.post_mortem();
    });
}

TEST_F(Config, RefusesWhatItHasNoMemoryFor)
{
    unsigned refusals = 0;
    written in_force;
    auto server = std::make_unique<reloaded>(1);
    bool more = true;
    for (unsigned nth = 1; more; ++nth) {
        ASSERT_LT(nth, 5000U);
        written next = in_force.root == "site" ? another() : written{};
        next.connections = 10 + nth;
        server->configure(next);
        testing::internal::CaptureStderr();
        test::inject("config", nth);
        server->order_reload();
        server->finish();
        more = test::was_injected();
        testing::internal::GetCapturedStderr();
        const auto came = server->take_answers();
        ASSERT_EQ(came.size(), 1U);
        if (came.front().taken) {
            in_force = next;
        } else {
            ++refusals;
            EXPECT_THAT(came.front(), is_refused("out of memory")) << nth;
        }
        server->expect_in_force(in_force);
        ASSERT_EQ(server->faulted(), 0U) << nth;
        ASSERT_FALSE(testing::Test::HasFailure()) << nth;
    }
    std::printf("config had no memory %u times, and refused each\n", refusals);
    EXPECT_GT(refusals, 100U);
    server->order_end();
    server->finish();
    EXPECT_TRUE(server->has_ended()) << server->post_mortem();
}

}  // namespace
}  // namespace server
