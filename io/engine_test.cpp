// SPDX-License-Identifier: MIT
#include "io/engine.hpp"

#include <csignal>
#include <thread>

#include <gtest/gtest.h>

#include "csp/kernel.hpp"
#include "io/address.hpp"
#include "io/buffer.hpp"
#include "io/test_engines.hpp"

namespace io::test {
namespace {

class engine_ : public on_engine {};
ON_BOTH_ENGINES(engine_);

csp::process is_here(engine_choice expected)
{
    EXPECT_EQ(engine::here().kind(), expected);
    co_return;
}
TEST_P(engine_, is_the_one_chosen) { run(is_here(GetParam())); }

csp::process sleeps()
{
    const auto before = csp::core::here().now();
    auto later = csp::at(soon());
    auto brief = csp::after(20ms);
    EXPECT_TRUE((co_await csp::fair_alt(later, brief)) == brief);
    EXPECT_GE(csp::core::here().now() - before, 20ms);
}
TEST_P(engine_, lets_time_pass) { run(sleeps()); }

TEST_P(engine_, is_woken_from_any_thread)
{
    csp::core c({});
    const csp::core::residence here(c);
    const auto e = *make_engine(GetParam(), c);
    for (int i = 0; i < 20; ++i) {
        std::jthread other([&] {
            if (i % 2 == 0) std::this_thread::sleep_for(1ms);
            e->wake();
        });
        e->wait(csp::time_point::max());
    }
    for (int i = 0; i < 3; ++i) e->wake();
    EXPECT_FALSE(e->expects_events());
}

csp::process fills_buffers(int count)
{
    std::vector<buffer> many;
    for (int i = 0; i < count; ++i) {
        many.push_back(buffer::make());
        std::ranges::copy(std::string_view("0123456789"), many.back().space().begin());
        many.back().append(10);
        many.back().consume(3);
        many.back().truncate(4);
        EXPECT_EQ(many.back().text(), "3456");
        many.back().compact();
        EXPECT_EQ(many.back().text(), "3456");
        EXPECT_EQ(many.back().space().size(), buffer::capacity - 4);
    }
    buffer first = std::move(many.front());
    EXPECT_TRUE(first);
    EXPECT_FALSE(many.front());
    EXPECT_TRUE(many.front().space().empty());
    co_return;
}
TEST_P(engine_, makes_buffers) { run(fills_buffers(600)); }

TEST(probe, tells_in_a_sentence)
{
    EXPECT_EQ(probe(engine_choice::epoll)->runs, engine_choice::epoll);
    const auto automatic = probe();
    ASSERT_TRUE(automatic.has_value());
    EXPECT_NE(automatic->runs, engine_choice::automatic);
    EXPECT_NE(automatic->why.find(automatic->runs == engine_choice::uring ? "using io_uring" : "using epoll"),
              std::string::npos);
    if (const auto forced = probe(engine_choice::uring); !forced) {
        EXPECT_NE(forced.error().find("io_uring refused"), std::string::npos);
    }
}

TEST(errors, are_told_apart)
{
    EXPECT_TRUE(error::of(error::past_deadline).timed_out());
    EXPECT_FALSE(error::of(ETIMEDOUT).timed_out());
    EXPECT_TRUE(error::of(ECONNRESET).closed());
    EXPECT_TRUE(error::of(error::was_closed).closed());
    EXPECT_EQ(error::of(ENOENT).text, "No such file or directory");
    EXPECT_EQ(error::of(99999).text, "unknown error");
}

TEST(addresses, are_parsed_and_printed)
{
    for (const char* text :
         {"127.0.0.1:80", "[::1]:8080", "[2001:db8::1]:0", "0.0.0.0:65535", "unix:/run/x.sock", "unix:@hidden"}) {
        const auto a = address::parse(text);
        ASSERT_TRUE(a.has_value()) << text;
        EXPECT_EQ(a->to_string(), text);
    }
    EXPECT_EQ(address::parse(":8080")->to_string(), "[::]:8080");
    EXPECT_EQ(address::parse("[::ffff:10.0.0.1]:5")->to_string(), "10.0.0.1:5");
    EXPECT_EQ(address::parse("[::1]:7")->host(), "::1");
    EXPECT_EQ(address::parse("10.1.2.3:7")->port(), 7);
    EXPECT_TRUE(address::parse("127.3.2.1:7")->is_loopback());
    EXPECT_TRUE(address::parse("[::1]:7")->is_loopback());
    EXPECT_TRUE(address::parse("[::ffff:127.0.0.1]:7")->is_loopback());
    EXPECT_FALSE(address::parse("10.0.0.1:7")->is_loopback());
    for (const char* text : {"", "80", "localhost:80", "1.2.3:80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1",
                             "[::1:80", "::1:80", "1.2.3.4:80x", "unix:", "[1.2.3.4]:80"}) {
        EXPECT_FALSE(address::parse(text).has_value()) << text;
    }
    EXPECT_FALSE(address::parse("unix:/" + std::string(200, 'x')).has_value());
}

}  // namespace
}  // namespace io::test
