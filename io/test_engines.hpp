// SPDX-License-Identifier: MIT
//
// A test that runs under each engine and checks that no descriptor leaks. If the kernel refuses io_uring, the test is
// skipped, except in CI.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "csp/kernel.hpp"
#include "csp/process.hpp"
#include "csp/timer.hpp"
#include "io/acceptor.hpp"
#include "io/engine.hpp"
#include "io/socket.hpp"

namespace io::test {

using namespace std::chrono_literals;

inline std::size_t open_descriptors()
{
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

class on_engine : public testing::TestWithParam<engine_choice> {
  protected:
    void SetUp() override
    {
        if (const auto probed = probe(GetParam()); !probed) {
            if (std::getenv("CI") != nullptr) FAIL() << "io_uring must be there in CI: " << probed.error();
            GTEST_SKIP() << probed.error();
        }
        before_ = open_descriptors();
    }
    void TearDown() override
    {
        if (!IsSkipped()) EXPECT_EQ(open_descriptors(), before_) << "descriptors leaked";
    }
    static void run(csp::process&& p, unsigned cores = 1)
    {
        csp::kernel k({.cores = cores}, engines(GetParam()));
        EXPECT_EQ(k.run(std::move(p)), csp::outcome::finished);
    }

  private:
    std::size_t before_ = 0;
};

inline std::string engine_name(const testing::TestParamInfo<engine_choice>& info)
{
    return info.param == engine_choice::uring ? "uring" : "epoll";
}

#define ON_BOTH_ENGINES(suite)                                                                                    \
    INSTANTIATE_TEST_SUITE_P(engines, suite, testing::Values(io::engine_choice::uring, io::engine_choice::epoll), \
                             io::test::engine_name)

inline deadline in(csp::duration d) { return csp::core::here().now() + d; }
/// A time limit that is long enough on a slow machine and under a sanitizer.
inline deadline soon() { return in(60s); }

/// A port without a listener that the kernel gives to no other program: a socket is bound to it but does not listen.
/// With SO_REUSEADDR, which listen() sets too, another socket can still listen there.
class reserved_port {
  public:
    reserved_port()
    {
        for (const char* all : {"[::]:0", "0.0.0.0:0"}) {  // the second where the kernel has no IPv6
            address any = *address::parse(all);
            held_ = descriptor(::socket(any.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
            const int on = 1;
            const int off = 0;
            setsockopt(held_.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
            if (any.family() == AF_INET6) setsockopt(held_.number(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
            if (::bind(held_.number(), any.data(), any.size()) != 0) continue;
            socklen_t size = any.size();
            getsockname(held_.number(), any.data(), &size);
            where_ = address::loopback(any.port());
            return;
        }
        ADD_FAILURE() << "no port is free";
    }
    [[nodiscard]] const address& where() const { return where_; }

  private:
    descriptor held_;
    address where_ = address::loopback(0);
};

struct connected {
    socket client;
    socket server;
};

inline csp::step<connected> tcp_pair()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor accepts(std::move(*l));
    auto client = co_await connect(where, soon());
    auto server = co_await accepts.next();
    EXPECT_TRUE(client.has_value() && server.has_value());
    co_return connected{std::move(*client), std::move(*server)};
}

inline csp::step<void> put(socket& s, std::string_view text)
{
    const auto sent = co_await send_all(s, text, soon());
    EXPECT_EQ(sent.value_or(0), text.size());
}

/// The result of one recv; an error, or the end, as text.
inline csp::step<std::string> get(socket& s, deadline until = no_deadline)
{
    std::string into(4096, '\0');
    const auto got = co_await recv(s, into, until == no_deadline ? soon() : until);
    if (!got) co_return std::string(got.error().text);
    if (*got == 0) co_return "end";
    into.resize(*got);
    co_return into;
}

inline csp::step<std::string> get_all(socket& s)
{
    std::string all;
    std::string piece(16384, '\0');
    for (;;) {
        const auto got = co_await recv(s, piece, soon());
        if (!got) co_return all + "|" + std::string(got.error().text);
        if (*got == 0) co_return all;
        all.append(piece, 0, *got);
    }
}

/// Its close() resets the connection.
inline void reset_on_close(const socket& s)
{
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(s.number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace io::test
