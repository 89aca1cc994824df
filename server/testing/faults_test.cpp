// SPDX-License-Identifier: MIT
//
// Memory runs out, or a bug strikes, in every process of a core's network, at every place where it asks for memory.
// This test prints the table in docs/HAZARDS.md.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "csp/ask.hpp"
#include "csp/forking.hpp"
#include "csp/post_mortem.hpp"
#include "csp/test_support.hpp"
#include "io/address.hpp"
#include "server/cgi_farm/cgi_desk.hpp"
#include "server/messages/stop.hpp"
#include "server/network.hpp"
#include "server/static_farm/compressor.hpp"
#include "server/stats/witness.hpp"
#include "server/testing/fault_injection.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using csp::notebook;
using std::chrono::milliseconds;

struct observed {
    std::string fault;  // the process whose fault was told to the whole
    std::size_t log_lines = 0;
    std::size_t exchanges = 0;
    std::optional<parking_view> connections;
    std::optional<bool> answers;
};

csp::process whole(csp::process network, notebook<observed> seen)
{
    csp::forking all(csp::faults::heard);
    all.start(std::move(network));
    const auto end = co_await all.until_fault();
    if (end.first_fault != nullptr) seen->fault = csp::plain_name(end.first_fault);
    co_await all.join();
}

csp::process takes_lines(csp::buffered_in<log_lines> lines, notebook<observed> seen)
{
    while (const auto more = co_await lines.input()) {
        seen->log_lines += static_cast<std::size_t>(std::ranges::count(more->text, '\n'));
    }
}
csp::process takes_tallies(csp::buffered_in<tally> told, notebook<observed> seen)
{
    while (const auto more = co_await told.input()) seen->exchanges += more->exchanges;
}
csp::process tells_figures(csp::in<figures_question> questions)
{
    while (auto question = co_await questions.input()) co_await question->answer.output(figures());
}
csp::process asks(csp::bridge_out<core_question> to_witness, notebook<observed> seen)
{
    const core_view view = (co_await csp::ask(to_witness, core_question{})).value_or(core_view());
    seen->connections = view.connections;
}
csp::process probes(csp::bridge_out<core_question> to_witness, notebook<observed> seen)
{
    std::vector<csp::bridge_out<core_question>> one{std::move(to_witness)};
    seen->answers = co_await all_answer(one);
}
csp::process stops(csp::bridge_out<stop> to_acceptors) { co_await to_acceptors.output({stop::manner::now}); }

/// What came of a request.
enum class fate : std::uint8_t { answered, refused, closed, silence, server_ends };  // refused: 5xx
constexpr std::array fate_names{"answered", "5xx", "closed", "silence", "server ends"};

settings settings_for(const std::string& root)
{
    settings s;
    s.workers = 1;
    s.spare_workers = 2;
    s.files.root = root;
    s.files.directories = listing::on;
    s.cache.pages = 3;
    s.cache.largest_page = 1000;
    s.cache.largest_text = 1000;
    s.cache.freshness = milliseconds(0);
    s.clients.connections_per_address = 100;
    s.clients.requests_per_second = 100'000;
    // There is no runner, so a program is answered for with 503 after all preparations.
    cgi_rules programs;
    programs.path = root + "/cgi-bin";
    s.files.routes.push_back({.path = "/cgi-bin/*", .then = programs, .headers = {}});
    return s;
}

/// A core's network with real sockets, all under one thread.
class scene {
  public:
    scene(std::uint64_t seed, const std::string& root) : kernel_(seed)
    {
        csp::core& here = kernel_.on();
        settings s = settings_for(root);
        auto by = make_policy(s);
        EXPECT_TRUE(by.has_value());
        auto listener = io::listen(io::address::loopback(0));
        EXPECT_TRUE(listener.has_value());
        at_ = *io::local(*listener);
        std::vector<listening> listeners;
        listeners.push_back({"here", std::move(*listener)});

        csp::bridge<freezable_policy> policies(here);
        csp::bridge<access_log> formats(here);
        csp::bridge<cache_room> rooms(here);
        csp::bridge<listening_change> addresses(here);
        csp::bridge<stop> ending(here);
        csp::buffered_bridge<log_lines> lines(here, 64);
        csp::buffered_bridge<tally> told(here, 64), refused(here, 64);
        csp::bridge<compression_job> jobs(here);
        csp::bridge<core_question> asked(here);
        csp::bridge<figures_question> so_far(here);
        csp::bridge<place_order> places(here);
        to_acceptors_.emplace(ending.tx());
        to_witness_.emplace(asked.tx());
        std::vector<csp::bridge_out<core_question>> witnesses{*to_witness_};
        kernel_.start(whole(hot_path(core_settings_of(s), std::move(*by), std::move(listeners),
                                     {.policies = policies.rx(),
                                      .formats = formats.rx(),
                                      .rooms = rooms.rx(),
                                      .addresses = addresses.rx(),
                                      .stops = ending.rx(),
                                      .asked = asked.rx(),
                                      .lines = lines.tx(),
                                      .answered = told.tx(),
                                      .refused = refused.tx(),
                                      .to_compressor = jobs.tx(),
                                      .to_stats_desk = so_far.tx(),
                                      .to_cgi_desk = places.tx(),
                                      .to_witnesses = std::move(witnesses)}),
                            notebook(seen_)));
        kernel_.start(takes_lines(lines.rx(), notebook(seen_)));
        kernel_.start(takes_tallies(told.rx(), notebook(seen_)));
        kernel_.start(takes_tallies(refused.rx(), notebook(seen_)));
        kernel_.start(tells_figures(so_far.rx()));
        kernel_.start(compressor(jobs.rx()));
        kernel_.start(cgi_desk(places.rx()));
        kernel_.settle_with_sockets();
    }
    ~scene()
    {
        to_witness_.reset();
        client_ = {};
        if (to_acceptors_) kernel_.start(stops(std::move(*to_acceptors_)));
        to_acceptors_.reset();
        // What a fault has damaged does not end by itself; but nothing may be left with the kernel.
        drive([&] { return kernel_.all_ended() || !kernel_.engine().expects_events(); });
    }

    /// Sends it along the connection of the last one, if that is still open.
    fate ask(std::string_view request)
    {
        for (int tries = 0; tries < 2; ++tries) {
            const bool is_old = static_cast<bool>(client_);
            if (!is_old) connect();
            arrived_.clear();
            const bool sent = ::send(client_.number(), request.data(), request.size(), MSG_NOSIGNAL) > 0;
            bool open = sent;
            const bool came = sent && drive([&] {
                                  open = read();
                                  return !open || is_whole() || !seen_.fault.empty();
                              });
            if (sent && is_whole()) {
                const bool failed = arrived_.starts_with("HTTP/1.1 5");
                if (!open || arrived_.contains("Connection: close")) client_ = {};
                return failed ? fate::refused : fate::answered;
            }
            if (!seen_.fault.empty()) return fate::server_ends;
            if (came && open) return fate::silence;
            if (!came && sent) return fate::silence;
            client_ = {};
            if (!is_old) return fate::closed;
            // A connection kept open may have been closed meanwhile, and a client asks again. (RFC 9110, 9.2.2)
            closed_ = true;
        }
        return fate::closed;
    }
    /// Whether a connection was closed on which another request could have come.
    [[nodiscard]] bool took_closed() { return std::exchange(closed_, false); }
    void leave() { client_ = {}; }
    void wait(milliseconds time) { kernel_.run_for(time); }

    /// How many connections the server still counts when all clients have gone.
    std::size_t places_taken()
    {
        leave();
        const auto is_empty = [&] {
            seen_.connections.reset();
            kernel_.start(asks(*to_witness_, notebook(seen_)));
            kernel_.run_for(std::chrono::seconds(1));
            kernel_.settle_with_sockets();
            return seen_.connections && seen_.connections->parked + seen_.connections->under_way == 0;
        };
        drive(is_empty);
        return seen_.connections ? seen_.connections->parked + seen_.connections->under_way : 1000;
    }
    std::optional<bool> probe()
    {
        seen_.answers.reset();
        kernel_.start(probes(*to_witness_, notebook(seen_)));
        drive([&] { return seen_.answers.has_value(); }, milliseconds(seen_.fault.empty() ? 5000 : 100));
        return seen_.answers;
    }
    /// Makes the oldest process of that name fault where it waits. False if there is none.
    bool fault(std::string_view process)
    {
        for (const csp::record* r = kernel_.on().oldest(); r != nullptr; r = r->younger) {
            if (csp::plain_name(r->name) != process) continue;
            kernel_.on().end_by_fault(const_cast<csp::record&>(*r));
            kernel_.settle_with_sockets();
            return true;
        }
        return false;
    }
    [[nodiscard]] const observed& seen() const { return seen_; }
    [[nodiscard]] std::string post_mortem() const { return kernel_.post_mortem(); }

  private:
    void connect()
    {
        client_ = io::descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::connect(client_.number(), at_.data(), at_.size()), 0);
    }
    /// Yields whether the connection is still open.
    bool read()
    {
        std::array<char, 16384> room;
        for (;;) {
            const ssize_t got = ::recv(client_.number(), room.data(), room.size(), MSG_DONTWAIT);
            if (got <= 0) return got < 0 && errno == EAGAIN;
            arrived_.append(room.data(), static_cast<std::size_t>(got));
        }
    }
    /// The end of a head, and as much behind it as it says.
    [[nodiscard]] bool is_whole() const
    {
        const auto end = arrived_.find("\r\n\r\n");
        if (end == std::string::npos) return false;
        const auto field = arrived_.find("Content-Length: ");
        if (field == std::string::npos || field > end) return true;
        return arrived_.size() >= end + 4 + std::strtoul(arrived_.c_str() + field + 16, nullptr, 10);
    }
    /// Waits until it is so, or for longer than the slowest machine could need.
    template <class Condition>
    bool drive(Condition is_so, milliseconds longest = milliseconds(5000))
    {
        const auto enough = std::chrono::steady_clock::now() + longest;
        do {
            kernel_.settle_with_sockets();
            if (is_so()) return true;
            kernel_.engine().wait(std::chrono::steady_clock::now() + milliseconds(1));
        } while (std::chrono::steady_clock::now() < enough);
        return false;
    }

    observed seen_;
    test::engine_kernel kernel_;
    io::address at_;
    std::optional<csp::bridge_out<stop>> to_acceptors_;
    std::optional<csp::bridge_out<core_question>> to_witness_;
    io::descriptor client_;
    std::string arrived_;
    bool closed_ = false;
};

const std::array<std::string_view, 18> requests{
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\", \"y\"\r\n\r\n",
    "GET /b.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\n\r\n",
    "GET /c.txt HTTP/1.1\r\nHost: a\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
    "GET /d.txt?with=query HTTP/1.1\r\nHost: a\r\nReferer: http://a/\r\nUser-Agent: test\r\n\r\n",
    "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /large HTTP/1.1\r\nHost: a\r\nRange: bytes=100-2000\r\n\r\n",
    "GET /sub/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /missing HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n",
    "GET /missing/with/a/long/path/that/needs/memory/of/its/own HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"long enough for memory of its own\"\r\nIf-None-Match: "
    "\"y\"\r\n\r\n",
    "POST /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /stats.json HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /cgi-bin/program HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "NONSENSE\r\n\r\n",
};

/// Every process of hot_path; page_cache's and the farms' among them, with those that they fork.
const std::array<std::string_view, 20> processes{
    "acceptors",     "acceptor",         "parking",       "front_end_farm", "front_end_worker",
    "stats_farm",    "stats_worker",     "witness",       "page_cache",     "cache_hash_request",
    "cache_process", "cache_hits",       "cache_control", "static_farm",    "page_worker",
    "etags",         "compression_desk", "back_end",      "cgi_farm",       "cgi_page",
};

class Faults : public testing::Test {
  protected:
    void SetUp() override
    {
        site_.write("index.html", "<title>home</title>");
        for (const char* name : {"a.txt", "b.txt", "c.txt", "d.txt"}) site_.write(name, std::string(600, *name));
        site_.write("large", std::string(100'000, 'l'));
        site_.write("sub/page", "page");
        site_.write("cgi-bin/program", "#!/bin/sh\n");
        std::filesystem::permissions(site_.path() + "/cgi-bin/program", std::filesystem::perms::owner_all);
    }
    test::scratch_directory site_;
};

/// Of these there is one, and each request passes it. A worker that is gone is replaced.
bool is_on_the_way_of_requests(std::string_view process)
{
    return process == "parking" || process == "cache_hash_request" || process == "back_end" || process == "witness";
}

struct row {
    unsigned injections = 0;
    std::map<fate, unsigned> fates;
    std::string ends_with;
};

void print(std::string_view title, const std::map<std::string_view, row>& table)
{
    std::printf("\n%s\n%-20s %8s", std::string(title).c_str(), "process", "faults");
    for (const char* name : fate_names) std::printf(" %12s", name);
    std::printf("\n");
    for (const auto& [name, r] : table) {
        std::printf("%-20s %8u", std::string(name).c_str(), r.injections);
        for (std::size_t f = 0; f < fate_names.size(); ++f) {
            const auto n = r.fates.find(static_cast<fate>(f));
            std::printf(" %12u", n == r.fates.end() ? 0 : n->second);
        }
        std::printf("  %s\n", r.ends_with.c_str());
    }
}

TEST_F(Faults, OfMemoryCostAConnectionAtMost)
{
    std::map<std::string_view, row> table;
    for (const std::string_view process : processes) {
        row& r = table[process];
        std::uint64_t seed = 1;
        auto s = std::make_unique<scene>(seed, site_.path());
        bool more = true;
        for (unsigned nth = 1; more && nth < 2000; ++nth) {
            testing::internal::CaptureStderr();
            test::inject(process, nth);
            for (const std::string_view request : requests) {
                ++r.fates[s->ask(request)];
                if (s->took_closed()) ++r.fates[fate::closed];
            }
            s->wait(milliseconds(300));
            more = test::was_injected();
            testing::internal::GetCapturedStderr();
            if (more) ++r.injections;
            if (!s->seen().fault.empty()) {
                r.ends_with = s->seen().fault;
                s = std::make_unique<scene>(++seed, site_.path());
                continue;
            }
            // Nothing of it is left behind.
            ASSERT_EQ(s->ask(requests[1]), fate::answered) << process << " " << nth << "\n" << s->post_mortem();
            if (nth % 8 == 0 || !more) {
                ASSERT_EQ(s->places_taken(), 0U) << process << " " << nth << "\n" << s->post_mortem();
            }
        }
        EXPECT_EQ(r.fates[fate::silence], 0U) << process;
        EXPECT_EQ(s->probe(), true) << process;
    }
    print("memory runs out once, at each place where the process asks for it", table);
}

TEST_F(Faults, ThatAProcessDoesNotSurviveAreToldAtOnce)
{
    std::printf("\na process faults where it waits\n%-20s %-20s %s\n", "process", "the whole hears of", "a probe");
    for (const std::string_view process : processes) {
        if (process == "page_cache") continue;  // which only waits for its parts
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            scene s(seed, site_.path());
            for (const std::string_view request : requests) s.ask(request);
            ASSERT_TRUE(s.fault(process)) << process;
            EXPECT_EQ(s.seen().fault, process);
            const bool answered = s.probe() == true;
            if (seed == 1) {
                std::printf("%-20s %-20s %s\n", std::string(process).c_str(), s.seen().fault.c_str(),
                            answered ? "is answered" : "is not answered");
            }
            EXPECT_FALSE(answered && is_on_the_way_of_requests(process)) << process << ": the watchdog falls silent";
        }
    }
}

TEST_F(Faults, AProbeIsAnsweredAndNotCounted)
{
    scene s(1, site_.path());
    EXPECT_EQ(s.probe(), true);
    s.wait(milliseconds(500));
    EXPECT_EQ(s.seen().exchanges, 0U);
    EXPECT_EQ(s.seen().log_lines, 0U);
    EXPECT_EQ(s.places_taken(), 0U);
    EXPECT_EQ(s.seen().connections->requests, 0U);
}

}  // namespace
}  // namespace server
