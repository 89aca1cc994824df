// SPDX-License-Identifier: MIT
//
// Tests of parking with virtual time and real sockets, so that each byte of a client arrives at a known time.
#include "server/front_end/parking.hpp"

#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "csp/test_support.hpp"
#include "server/messages/stop.hpp"
#include "server/testing/test_support.hpp"

namespace server {
namespace {

using csp::for_seeds;
using csp::notebook;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A connection that the front end received.
struct forwarded {
    std::string head;
    std::string client;
    std::optional<http::status> refused;
    bool too_soon = false;
    friend bool operator==(const forwarded&, const forwarded&) = default;
    friend void PrintTo(const forwarded& f, std::ostream* out)
    {
        *out << f.client << (f.refused ? " refused" : "") << (f.too_soon ? " too soon" : "") << ": " << f.head;
    }
};

struct seen_outside {
    std::vector<forwarded> requests;
    std::string log;
};

csp::process brings(std::vector<conn> arriving, csp::shared_out<conn> arrivals)
{
    for (conn& c : arriving) co_await arrivals.output(std::move(c));
}
csp::process ends(stop how, csp::shared_out<stop> stops) { co_await stops.output(how); }
csp::process keeps_log(csp::in<log_lines> lines, notebook<seen_outside> seen)
{
    while (auto l = co_await lines.input()) seen->log += l->text;
}

/// Stands for all processes after parking: records each connection and returns it as if its request had been answered.
csp::process answers(csp::in<conn> requests, csp::out<conn> returned, notebook<seen_outside> seen)
{
    while (auto request = co_await requests.input()) {
        conn c = std::move(*request);
        const std::string head(c->head());
        const auto& asked = std::get<connection::has_request>(c->now);
        const auto code = asked.head ? std::nullopt : std::optional(asked.head.error().code);
        seen->requests.push_back({head, c->client.text, code, asked.retry_after.has_value()});
        EXPECT_EQ(c->client.text, c->client.address.is_none() ? "unix:" : c->client.address.text());
        c->end_request();
        c->now = connection::idle();
        if (head.starts_with("POST")) c->now = connection::skipping_body{.rest = std::uint64_t{1000}};
        if (head.contains("close")) c->now = connection::lingering();
        if (code) c->now = connection::over();
        co_await returned.output(std::move(c));
    }
}

/// The far end of a connection.
class client {
  public:
    explicit client(io::descriptor fd) : fd_(std::move(fd)) {}

    void send(std::string_view text) const
    {
        EXPECT_EQ(::send(fd_.number(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    }
    /// Whether both directions are closed; after shutdown_write() of the server only one is.
    [[nodiscard]] bool is_cut_off() const
    {
        pollfd watched{.fd = fd_.number(), .events = 0, .revents = 0};
        return ::poll(&watched, 1, 0) == 1 && (watched.revents & POLLHUP) != 0;
    }
    void leave() { fd_ = io::descriptor(); }

  private:
    io::descriptor fd_;
};

policy policy_with(patience limits, client_limits clients = {}, std::vector<proxy_rule> proxies = {},
                   std::size_t connections = 100)
{
    policy p = test::policy_without_site();
    p.patience = limits;
    p.connections = connections;
    p.clients = clients;
    p.proxies = std::move(proxies);
    return p;
}

/// Parking with the processes that it needs.
class scene {
  public:
    explicit scene(std::uint64_t seed, policy by)
        : kernel_(seed), told_(kernel_.on(), 8), stop_(stops_.shared_tx()), arrive_(arrivals_.shared_tx())
    {
        csp::chan<conn> front, returned;
        csp::chan<log_lines> lines;
        kernel_.start(parking(std::move(by), policies_.rx(), stops_.rx(), arrivals_.rx(), returned.rx(),
                              questions_.rx(), front.tx(), lines.shared_tx(), told_.tx()));
        kernel_.start(answers(front.rx(), returned.tx(), notebook(seen_)));
        kernel_.start(keeps_log(lines.rx(), notebook(seen_)));
        kernel_.start(test::sink(told_.rx()));
    }

    /// Opens a connection. `first` is sent before parking receives it.
    [[nodiscard]] client connect(std::string_view from = "192.0.2.1", std::string_view first = "")
    {
        auto ends = test::connected_pair();
        client far_end{std::move(ends.client)};
        if (!first.empty()) far_end.send(first);
        auto c = std::make_unique<connection>(std::move(ends.server));
        if (from != "unix:") c->client.address = http::parse_ip(from).value();
        c->client.text = from;
        std::vector<conn> one;
        one.push_back(std::move(c));
        kernel_.start(brings(std::move(one), arrive_));
        settle();
        return far_end;
    }
    /// The acceptor has no descriptor for the next connection.
    void lacks_descriptors()
    {
        std::vector<conn> none(1);
        kernel_.start(brings(std::move(none), arrive_));
        settle();
    }
    void send(const client& c, std::string_view text)
    {
        c.send(text);
        settle();
    }
    /// Sends one byte at a time, each followed by a pause, until the connection is closed.
    void drip(const client& c, std::string_view text, milliseconds pause)
    {
        for (const char byte : text) {
            if (c.is_cut_off()) return;
            send(c, {&byte, 1});
            wait(pause);
        }
    }
    void end(stop::manner how)
    {
        kernel_.start(ends({how}, stop_));
        settle();
    }
    void wait(milliseconds time) { kernel_.run_for(time); }
    void settle() { kernel_.settle_with_sockets(); }

    [[nodiscard]] const std::vector<forwarded>& requests() const { return seen_.requests; }
    [[nodiscard]] std::vector<std::string> clients() const
    {
        std::vector<std::string> all;
        for (const forwarded& r : seen_.requests) all.push_back(r.client);
        return all;
    }
    [[nodiscard]] const std::string& log() const { return seen_.log; }

  private:
    seen_outside seen_;
    test::engine_kernel kernel_;
    csp::chan<freezable_policy> policies_;
    csp::chan<stop> stops_;
    csp::chan<conn> arrivals_;
    csp::chan<parking_question> questions_;
    csp::buffered_bridge<tally> told_;
    csp::shared_out<stop> stop_;
    csp::shared_out<conn> arrive_;
};

constexpr patience short_patience{.idle = seconds(60),
                                  .head = seconds(20),
                                  .stall = seconds(30),
                                  .linger = seconds(2),
                                  .grace = seconds(10),
                                  .least_rate = 100};

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// ---- deadlines

TEST(Parking, ClosesWhoIsIdleTooLong)
{
    scene s(1, policy_with(short_patience));
    const client fresh = s.connect();
    const client used = s.connect();
    s.wait(seconds(59));
    s.send(used, get);
    s.wait(milliseconds(999));
    EXPECT_FALSE(fresh.is_cut_off());
    s.wait(milliseconds(1));
    EXPECT_TRUE(fresh.is_cut_off());
    s.wait(milliseconds(58'999));
    EXPECT_EQ(s.requests().size(), 1U);
    s.send(used, get);
    EXPECT_EQ(s.requests().size(), 2U);
    s.wait(seconds(60));
    EXPECT_TRUE(used.is_cut_off());
}

TEST(Parking, AHeadMayTakeAsLongAsItGoesOn)
{
    scene s(1, policy_with(short_patience));
    const client c = s.connect();
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(10'000, 'x') + "\r\n\r\n";
    s.drip(c, head, milliseconds(10));  // just the least rate
    ASSERT_EQ(s.requests().size(), 1U);
    EXPECT_EQ(s.requests().front().head, head);
    EXPECT_EQ(s.requests().front().refused, std::nullopt);
}

TEST(Parking, AHeadBelowTheRateIsRefusedWhenItsStartIsUsedUp)
{
    scene s(1, policy_with(short_patience));
    const client c = s.connect();
    s.wait(seconds(50));  // the time for a head begins with its first byte
    s.drip(c, get.substr(0, 20), seconds(1));
    EXPECT_THAT(s.requests(), IsEmpty()) << "20 s and 20 bytes, which are worth 0.2 s";
    s.wait(milliseconds(199));
    EXPECT_THAT(s.requests(), IsEmpty());
    s.wait(milliseconds(1));
    ASSERT_EQ(s.requests().size(), 1U);
    EXPECT_EQ(s.requests().front().refused, http::status::request_timeout);
    EXPECT_TRUE(c.is_cut_off());
}

TEST(Parking, WhatCameFastIsNotSavedUp)
{
    scene s(1, policy_with(short_patience));
    const client c = s.connect();
    s.send(c, "GET / HTTP/1.1\r\nX: " + std::string(8'000, 'x'));  // worth 80 s
    s.wait(milliseconds(19'999));
    EXPECT_THAT(s.requests(), IsEmpty());
    s.wait(milliseconds(1));
    EXPECT_EQ(s.requests().size(), 1U);
}

TEST(Parking, ABodyGoesOnOrIsCutOff)
{
    scene s(1, policy_with(short_patience));
    const client steady = s.connect();
    const client slow = s.connect();
    const client silent = s.connect();
    for (const client* c : {&steady, &slow, &silent}) s.send(*c, "POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 29; ++i) {
        s.send(steady, std::string(10, 'x'));
        s.send(slow, "x");
        s.wait(seconds(1));
    }
    EXPECT_FALSE(silent.is_cut_off());
    for (int i = 0; i < 71; ++i) {
        s.send(steady, std::string(10, 'x'));
        s.wait(milliseconds(100));
        if (i == 14) {
            EXPECT_TRUE(silent.is_cut_off());
            EXPECT_TRUE(slow.is_cut_off());
        }
    }
    s.send(steady, get);
    EXPECT_EQ(s.requests().size(), 4U);
}

TEST(Parking, LingersForWhoStillSendsButNotForLong)
{
    scene s(1, policy_with(short_patience));
    const client c = s.connect();
    s.send(c, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 19; ++i) {
        s.send(c, "more");
        s.wait(milliseconds(100));
        EXPECT_FALSE(c.is_cut_off()) << i;
    }
    s.wait(milliseconds(100));
    EXPECT_TRUE(c.is_cut_off());
}

// ---- the end

TEST(Parking, AtTheEndTheIdleAreClosedButNotThoseWhoHaveAsked)
{
    for_seeds(20, [](std::uint64_t seed) {
        scene s(seed, policy_with(short_patience));
        const client idle = s.connect();
        const client asking = s.connect();
        asking.send(get);  // parking has not seen it yet
        s.end(stop::manner::now);
        EXPECT_TRUE(idle.is_cut_off());
        ASSERT_EQ(s.requests().size(), 1U);
    });
}

TEST(Parking, OneThatComesAfterTheEndHasBegunIsAnsweredIfItHasAsked)
{
    for_seeds(20, [](std::uint64_t seed) {
        scene s(seed, policy_with(short_patience));
        s.end(stop::manner::now);
        const client idle = s.connect();
        EXPECT_TRUE(idle.is_cut_off());
        const client asking = s.connect("192.0.2.1", get);
        EXPECT_EQ(s.requests().size(), 1U);
    });
}

// ---- more connections than the limit

policy policy_for(std::size_t connections) { return policy_with(short_patience, {}, {}, connections); }

TEST(Parking, TheOneThatIsIdleLongestYields)
{
    scene s(1, policy_for(3));
    const client used = s.connect();
    const client silent = s.connect();
    const client other = s.connect();
    s.wait(milliseconds(10));
    s.send(used, get);
    s.wait(seconds(1));
    const client fourth = s.connect();
    EXPECT_TRUE(silent.is_cut_off());
    const client fifth = s.connect();
    EXPECT_TRUE(other.is_cut_off());
    EXPECT_FALSE(used.is_cut_off());
    EXPECT_FALSE(fourth.is_cut_off());
    s.send(fifth, get);
    EXPECT_EQ(s.requests().size(), 2U);
}

TEST(Parking, NobodyYieldsWhoHasJustCome)
{
    scene s(1, policy_for(2));
    const client first = s.connect();
    const client second = s.connect();
    const client third = s.connect();
    s.send(third, get);
    s.wait(milliseconds(249));
    EXPECT_FALSE(first.is_cut_off());
    EXPECT_THAT(s.requests(), IsEmpty());
    s.wait(milliseconds(1));
    EXPECT_TRUE(first.is_cut_off());
    EXPECT_EQ(s.requests().size(), 1U);
    EXPECT_FALSE(second.is_cut_off());
}

TEST(Parking, NobodyYieldsWhoHasBegunARequestUnlessAllHave)
{
    scene s(1, policy_for(2));
    const client head = s.connect();
    s.send(head, get.substr(0, 10));
    const client idle = s.connect();
    s.wait(seconds(1));
    const client third = s.connect();
    EXPECT_TRUE(idle.is_cut_off());
    s.send(third, get.substr(0, 10));
    const client fourth = s.connect();
    s.wait(milliseconds(3'999));
    EXPECT_FALSE(head.is_cut_off());
    s.wait(milliseconds(1));
    EXPECT_TRUE(head.is_cut_off()) << "its head has not been complete for five seconds";
    s.send(third, get.substr(10));
    s.send(fourth, get);
    EXPECT_EQ(s.requests().size(), 2U);
}

TEST(Parking, AByteNowAndThenDoesNotKeepAPlace)
{
    scene s(1, policy_for(2));
    const client dripping = s.connect();
    s.send(dripping, "G");
    s.wait(seconds(1));
    const client silent = s.connect();
    s.send(silent, "G");
    s.drip(dripping, "ET / HTT", milliseconds(500));
    const client third = s.connect();
    EXPECT_TRUE(dripping.is_cut_off()) << "it began five seconds ago";
    EXPECT_FALSE(silent.is_cut_off());
    s.send(silent, get.substr(1));
    s.send(third, get);
    EXPECT_EQ(s.requests().size(), 2U);
}

TEST(Parking, TheTurnOfAnUnfinishedHeadBeginsAnewWithTheNextRequest)
{
    scene s(1, policy_for(2));
    const client steady = s.connect();
    s.send(steady, get.substr(0, 10));
    s.wait(seconds(4));
    const client other = s.connect();
    s.send(other, get.substr(0, 10));
    s.wait(milliseconds(500));
    s.send(steady, get.substr(10) + get.substr(0, 10));
    s.wait(milliseconds(4'500));
    const client third = s.connect();
    EXPECT_TRUE(other.is_cut_off());
    EXPECT_FALSE(steady.is_cut_off()) << "its present head began after the other's";
    s.send(steady, get.substr(10));
    EXPECT_EQ(s.requests().size(), 2U);
}

TEST(Parking, AnUnfinishedHeadIsPassedOverForFreshBytesOnce)
{
    for_seeds(20, [](std::uint64_t seed) {
        scene s(seed, policy_for(2));
        const client dripping = s.connect();
        s.send(dripping, "G");
        s.wait(seconds(1));
        const client second = s.connect();
        s.send(second, "G");
        s.wait(seconds(5));
        dripping.send("E");
        const client third = s.connect();
        s.send(third, "G");
        s.wait(seconds(5));
        dripping.send("T");
        const client fourth = s.connect();
        EXPECT_TRUE(dripping.is_cut_off());
    });
}

TEST(Parking, ALimitIsLoggedOnceAMinute)
{
    scene s(1, policy_for(1));
    std::vector<client> all;
    for (int i = 0; i < 60; ++i) {
        all.push_back(s.connect());
        s.wait(seconds(1));
    }
    EXPECT_THAT(s.log(), HasSubstr("(client 192.0.2.1; 1 since the last such message)"));
    EXPECT_THAT(s.log(), Not(HasSubstr("; 60 since")));
    all.push_back(s.connect());
    EXPECT_THAT(s.log(), HasSubstr("(client 192.0.2.1; 60 since the last such message)"));
}

TEST(Parking, NobodyYieldsWhoHasAskedAlready)
{
    for_seeds(20, [](std::uint64_t seed) {
        scene s(seed, policy_for(2));
        const client first = s.connect();
        const client second = s.connect();
        s.wait(seconds(1));
        first.send(get);
        const client third = s.connect();
        s.send(third, get);
        EXPECT_FALSE(first.is_cut_off());
        EXPECT_TRUE(second.is_cut_off());
        EXPECT_EQ(s.requests().size(), 2U);
    });
}

TEST(Parking, WithoutADescriptorForTheNextOneYields)
{
    scene s(1, policy_for(100));
    const client first = s.connect();
    const client second = s.connect();
    s.wait(seconds(1));
    s.lacks_descriptors();
    EXPECT_TRUE(first.is_cut_off());
    EXPECT_FALSE(second.is_cut_off());
}

// ---- proxies

const std::string introduced = "PROXY TCP4 203.0.113.7 192.0.2.2 56324 443\r\n";

std::vector<proxy_rule> proxies()
{
    return {{.from = {*http::parse_prefix("10.0.0.0/8")}, .begins_with_header = true},
            {.from = {*http::parse_prefix("172.16.0.0/12")}, .field = http::field_id::x_forwarded_for}};
}

std::string get_for(std::string_view hops)
{
    return "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + std::string(hops) + "\r\n\r\n";
}

TEST(Parking, AProxyIntroducesItsClient)
{
    for_seeds(5, [](std::uint64_t seed) {
        scene s(seed, policy_with(short_patience, {}, proxies()));
        const client at_once = s.connect("10.0.0.1");
        s.send(at_once, introduced + get + get);
        const forwarded whole{.head = get, .client = "203.0.113.7", .refused = {}};
        EXPECT_THAT(s.requests(), ElementsAre(whole, whole));
        const client bytewise = s.connect("10.0.0.1");
        s.drip(bytewise, introduced + get, milliseconds(1));
        EXPECT_THAT(s.requests(), ElementsAre(whole, whole, whole));
        EXPECT_THAT(s.log(), IsEmpty());
    });
}

TEST(Parking, AProxyThatSpeaksForItself)
{
    scene s(1, policy_with(short_patience, {}, proxies()));
    s.send(s.connect("10.0.0.1"), "PROXY UNKNOWN\r\n" + get);
    const std::string local("\r\n\r\n\0\r\nQUIT\n\x20\x11\x00\x03TLV", 19);
    s.send(s.connect("10.0.0.2"), local + get);
    EXPECT_THAT(s.clients(), ElementsAre("10.0.0.1", "10.0.0.2"));
}

TEST(Parking, AnIntroductionThatIsOwedIsWaitedForLikeAHead)
{
    scene s(1, policy_with(short_patience, {}, proxies()));
    const client silent = s.connect("10.0.0.1");
    const client slow = s.connect("10.0.0.2");
    const client gone = s.connect("10.0.0.3");
    s.drip(slow, introduced.substr(0, 19), seconds(1));
    EXPECT_FALSE(silent.is_cut_off());
    s.wait(seconds(1));
    EXPECT_TRUE(silent.is_cut_off());
    EXPECT_THAT(s.log(), HasSubstr("[[proxy]] protocol: a connection that did not begin with a PROXY header was closed "
                                   "(client 10.0.0.1; 1 since the last such message)"));
    s.wait(milliseconds(200));
    EXPECT_TRUE(slow.is_cut_off());
    EXPECT_THAT(s.requests(), IsEmpty()) << "nor is it answered";
}

TEST(Parking, AConnectionWithoutItsIntroductionIsClosed)
{
    scene s(1, policy_with(short_patience, {}, proxies()));
    const client c = s.connect("10.0.0.1");
    s.send(c, get);
    EXPECT_TRUE(c.is_cut_off());
    EXPECT_THAT(s.requests(), IsEmpty());
    EXPECT_THAT(s.log(), HasSubstr("client 10.0.0.1"));
    s.send(s.connect("10.0.0.1"), get);
    EXPECT_EQ(s.log().find("10.0.0.1"), s.log().rfind("10.0.0.1")) << "once a minute";
}

TEST(Parking, OnlyAProxyIntroducesClients)
{
    scene s(1, policy_with(short_patience, {}, proxies()));
    s.send(s.connect("192.0.2.1"), introduced);
    s.send(s.connect("192.0.2.1"), get_for("203.0.113.7"));
    s.send(s.connect("10.0.0.1"), introduced + get_for("192.0.2.9"));  // it said that before; the field is its client's
    s.send(s.connect("172.16.0.1"), introduced);                       // nor does that one speak so
    for (const forwarded& r : s.requests()) EXPECT_THAT(r.client, testing::AnyOf("192.0.2.1", "203.0.113.7"));
    ASSERT_GE(s.requests().size(), 2U);
}

TEST(Parking, EachRequestOfAnHttpProxyHasAClientOfItsOwn)
{
    scene s(1, policy_with(short_patience, {}, proxies()));
    const client c = s.connect("172.16.0.1");
    s.send(c, get_for("203.0.113.7") + get_for("203.0.113.8, 172.16.0.2") + get + get_for("1.1.1.1, 203.0.113.9"));
    s.send(c, get_for("203.0.113.8, unknown, 172.16.0.2") + get_for("172.16.0.4, 172.16.0.3"));
    EXPECT_THAT(s.clients(),
                ElementsAre("203.0.113.7", "203.0.113.8", "172.16.0.1", "203.0.113.9", "172.16.0.2", "172.16.0.4"));
}

TEST(Parking, AProxyBehindAProxy)
{
    scene s(1, policy_with(short_patience, {}, proxies()));
    s.send(s.connect("10.0.0.1"), "PROXY TCP4 172.16.0.1 10.0.0.9 1 2\r\n" + get_for("1.1.1.1, 203.0.113.7"));
    EXPECT_THAT(s.clients(), ElementsAre("203.0.113.7"));
}

TEST(Parking, ConnectionsAreCountedForTheirClients)
{
    for_seeds(5, [](std::uint64_t seed) {
        scene s(seed, policy_with(short_patience, {.connections_per_address = 1}, proxies()));
        std::vector<client> quiet;
        for (int i = 0; i < 5; ++i) quiet.push_back(s.connect("10.0.0.1"));
        for (int i = 0; i < 5; ++i) quiet.push_back(s.connect("172.16.0.1"));
        client first = s.connect("10.0.0.1");
        s.send(first, introduced);
        const client direct = s.connect("203.0.113.7");
        const client second = s.connect("10.0.0.1");
        s.send(second, introduced + get);
        const client other = s.connect("10.0.0.1");
        s.send(other, "PROXY TCP4 203.0.113.8 192.0.2.2 56324 443\r\n" + get);
        const forwarded too_many{
            .head = "", .client = "203.0.113.7", .refused = http::status::too_many_requests, .too_soon = true};
        EXPECT_THAT(s.requests(), ElementsAre(too_many, too_many, forwarded{get, "203.0.113.8", {}, false}));
        first.leave();
        s.settle();
        const client again = s.connect("10.0.0.1");
        s.send(again, introduced + get);
        EXPECT_EQ(s.requests().back(), (forwarded{get, "203.0.113.7", {}, false}));
    });
}

TEST(Parking, RequestsAreCountedForTheirClients)
{
    scene s(1, policy_with(short_patience, {.requests_per_second = 1, .burst = 2}, proxies()));
    const client c = s.connect("172.16.0.1");
    for (int i = 0; i < 10; ++i) s.send(c, get);  // the proxy's own
    for (int i = 0; i < 3; ++i) s.send(c, get_for("203.0.113.7"));
    s.send(c, get_for("203.0.113.8"));
    const client introducing = s.connect("10.0.0.1");
    s.send(introducing, introduced + get);
    std::vector<bool> too_soon;
    for (const forwarded& r : s.requests()) too_soon.push_back(r.too_soon);
    std::vector<bool> expected(10, false);
    expected.insert(expected.end(), {false, false, true, false, true});
    EXPECT_EQ(too_soon, expected);
}

std::vector<std::string> refused_of(const scene& s)
{
    std::vector<std::string> all;
    for (const forwarded& r : s.requests()) {
        if (r.too_soon) all.push_back(r.client);
    }
    return all;
}

TEST(Parking, ClientsThatAProxyDoesNotNameAreCountedAtTheProxysAddress)
{
    scene s(1, policy_with(short_patience, {.requests_per_second = 1, .burst = 2}, proxies()));
    const client c = s.connect("172.16.0.1");
    for (const std::string_view hidden : {"unknown", "_hidden", ""}) s.send(c, get_for(hidden));
    for (int i = 0; i < 3; ++i) s.send(c, get_for("203.0.113.8, unknown, 172.16.0.2"));
    for (int i = 0; i < 3; ++i) s.send(c, get_for("172.16.0.3"));  // passed on, so it is not that proxy's own
    for (int i = 0; i < 5; ++i) s.send(c, get);
    EXPECT_THAT(refused_of(s), ElementsAre("172.16.0.1", "172.16.0.2", "172.16.0.3"));
}

TEST(Parking, ClientsThatAProxyDoesNotIntroduceAreCountedAtTheProxysAddress)
{
    const std::string local("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
    const std::string unspecified("\r\n\r\n\0\r\nQUIT\n\x21\0\0\0", 16);
    scene s(1, policy_with(short_patience, {.connections_per_address = 1}, proxies()));
    const client own = s.connect("10.0.0.1");
    s.send(own, local + get);
    const client first = s.connect("10.0.0.1");
    s.send(first, unspecified + get);
    const client second = s.connect("10.0.0.1");
    s.send(second, "PROXY UNKNOWN\r\n" + get);
    EXPECT_THAT(refused_of(s), ElementsAre("10.0.0.1"));
}

TEST(Parking, WhoConnectsToAUnixSocketHasNoAddressToBeCountedBy)
{
    const client_limits one{.connections_per_address = 1, .requests_per_second = 1, .burst = 1};
    scene plain(1, policy_with(short_patience, one));
    const client a = plain.connect("unix:");
    const client b = plain.connect("unix:");
    for (int i = 0; i < 3; ++i) plain.send(b, get);
    EXPECT_THAT(refused_of(plain), IsEmpty());

    proxy_rule rule{.from = {}, .from_unix = true, .field = http::field_id::x_forwarded_for};
    scene proxied(1, policy_with(short_patience, one, {rule}));
    const client c = proxied.connect("unix:");
    for (int i = 0; i < 2; ++i) proxied.send(c, get + get_for("203.0.113.7") + get_for("unknown"));
    EXPECT_THAT(proxied.clients(), ElementsAre("unix:", "203.0.113.7", "unix:", "unix:", "203.0.113.7", "unix:"));
    EXPECT_THAT(refused_of(proxied), ElementsAre("203.0.113.7", "unix:"))
        << "all clients that the proxy does not name count as one";
}

}  // namespace
}  // namespace server
