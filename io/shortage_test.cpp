// SPDX-License-Identifier: MIT
//
// If the kernel refuses something for lack of resources, one call fails, or the engine tries again later.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <liburing.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"
#include "io/child.hpp"
#include "io/readiness.hpp"
#include "io/select_read.hpp"
#include "io/signals.hpp"
#include "io/test_engines.hpp"
#include "io/test_refusals.hpp"

namespace {

thread_local bool memory_is_out = false;

}  // namespace

// NOLINTBEGIN(misc-definitions-in-headers, cppcoreguidelines-no-malloc): these are the program's own
void* operator new(std::size_t bytes)
{
    if (memory_is_out) throw std::bad_alloc();
    if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
// NOLINTEND(misc-definitions-in-headers, cppcoreguidelines-no-malloc)

namespace io::test {
namespace {

/// While it exists, memory allocation fails.
class out_of_memory {
  public:
    out_of_memory() { memory_is_out = true; }
    out_of_memory(const out_of_memory&) = delete;
    out_of_memory& operator=(const out_of_memory&) = delete;
    ~out_of_memory() { memory_is_out = false; }
};

void run_alone(engine_choice choice, csp::process&& p)
{
    csp::kernel k({}, engines(choice));
    EXPECT_EQ(k.run(std::move(p)), csp::outcome::finished);
    end_of_refusals();
}

descriptor plain_connection(const address& where)
{
    descriptor d(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(d.number(), where.data(), where.size()), 0);
    return d;
}

void no_watch_is_left()
{
    refuse({.number = SYS_epoll_ctl, .argument = 1, .mask = ~0U, .value = EPOLL_CTL_ADD}, ENOSPC);
}

csp::process calls_without_watches()
{
    auto [client, server] = co_await tcp_pair();
    auto [other_client, other] = co_await tcp_pair();
    auto pipe = pipe_to_child();
    no_watch_is_left();

    EXPECT_EQ(co_await get(server), "No space left on device");
    co_await put(client, "x");
    EXPECT_EQ(co_await get(server), "x") << "what is there already is read all the same";

    select_read idle;
    idle.add(1, other, soon());
    const auto event = co_await idle.next();
    EXPECT_EQ(event.what, select_event::outcome::closed);
    EXPECT_EQ(event.why.number, ENOSPC);

    const auto sent = co_await send_all(pipe->ours, std::string(1 << 20, 'x'), soon());
    EXPECT_TRUE(!sent && sent.error().number == ENOSPC) << "a pipe that is full";

    reset_on_close(client);
    client = {};
    EXPECT_EQ(co_await get(server), "Connection reset by peer");
}

csp::process sources_without_watches()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor connections(std::move(*l));
    signal_set heard = *signal_set::open({SIGUSR1});
    auto pipe = pipe_from_child();
    readable output(pipe->ours);
    no_watch_is_left();

    const auto brief = csp::after(5ms);
    EXPECT_TRUE((co_await csp::pri_alt(heard, output, connections, brief)) == brief);
    EXPECT_EQ(co_await get(pipe->ours), "No space left on device") << "a call after the ALT is none of its watches";
    EXPECT_EQ(::write(pipe->childs.number(), "x", 1), 1);
    EXPECT_TRUE((co_await csp::pri_alt(heard, output)) == output);
    const descriptor client = plain_connection(where);
    EXPECT_TRUE((co_await csp::pri_alt(heard, connections)) == connections);
    EXPECT_TRUE((co_await connections.next()).has_value());
    std::raise(SIGUSR1);
    EXPECT_EQ(co_await heard.next(), SIGUSR1);
}

csp::process accepting_what_is_forbidden()
{
    auto l = listen(address::loopback(0));
    const address where = *local(*l);
    acceptor connections(std::move(*l));
    refuse({.number = SYS_accept4}, EPERM);  // as a rule of the firewall does
    const descriptor client = plain_connection(where);
    int errors = 0;
    const auto end = csp::after(400ms);
    while ((co_await csp::pri_alt(end, connections)) == connections) {
        const auto refused = co_await connections.next();
        EXPECT_TRUE(!refused && refused.error().number == EPERM);
        ++errors;
    }
    EXPECT_GE(errors, 2);
    EXPECT_LE(errors, 20) << "some at once, and then with growing pauses";
}

TEST(shortage, of_watches_is_an_error_of_the_call)
{
    EXPECT_EXIT(run_alone(engine_choice::epoll, calls_without_watches()), testing::ExitedWithCode(0), "");
}

TEST(shortage, of_watches_makes_event_sources_look_now_and_then)
{
    EXPECT_EXIT(
        {
            block_signals({SIGUSR1});
            run_alone(engine_choice::epoll, sources_without_watches());
        },
        testing::ExitedWithCode(0), "");
}

TEST(shortage, of_permission_to_accept_does_not_spin)
{
    EXPECT_EXIT(run_alone(engine_choice::epoll, accepting_what_is_forbidden()), testing::ExitedWithCode(0), "");
}

csp::process reads_one(socket from) { EXPECT_EQ(co_await get(from), "x"); }

/// More submissions than the queue has room for, while the kernel accepts submissions only during a wait.
csp::process more_than_the_ring_takes()
{
    constexpr std::size_t many = 1500;
    std::vector<socket> writers;
    csp::forking readers;
    refuse({.number = SYS_io_uring_enter, .argument = 3, .mask = IORING_ENTER_GETEVENTS, .value = 0}, EAGAIN);
    for (std::size_t i = 0; i < many; ++i) {
        auto pair = socket_pair();
        EXPECT_TRUE(pair.has_value());
        if (!pair) co_return;
        readers.start(reads_one(std::move(pair->first)));
        writers.push_back(std::move(pair->second));
    }
    co_await csp::yield();
    for (socket& s : writers) co_await put(s, "x");
    co_await readers.join();
}

TEST(shortage, of_room_in_the_ring_is_waited_out)
{
    if (const auto probed = probe(engine_choice::uring); !probed) GTEST_SKIP() << probed.error();
    EXPECT_EXIT(run_alone(engine_choice::uring, more_than_the_ring_takes()), testing::ExitedWithCode(0), "");
}

/// More operations than the queue has room for are begun and cancelled, while the kernel accepts submissions only
/// during a wait.
csp::process dropped_when_the_ring_is_full()
{
    constexpr std::size_t many = 1500;
    std::vector<socket> writers;
    std::vector<socket> members;
    select_read idle;
    refuse({.number = SYS_io_uring_enter, .argument = 3, .mask = IORING_ENTER_GETEVENTS, .value = 0}, EAGAIN);
    for (std::size_t i = 0; i < many; ++i) {
        auto pair = socket_pair();
        EXPECT_TRUE(pair.has_value());
        if (!pair) co_return;
        members.push_back(std::move(pair->first));
        writers.push_back(std::move(pair->second));
        idle.add(i, members.back(), soon());
    }
    socket last = std::move(members.back());
    {
        const out_of_memory now;
        for (socket& s : members) s = {};
    }
    co_await put(writers.back(), "x");
    EXPECT_EQ((co_await idle.next()).token, many - 1);
}

TEST(shortage, of_memory_and_of_room_in_the_ring_lets_sockets_go)
{
    if (const auto probed = probe(engine_choice::uring); !probed) GTEST_SKIP() << probed.error();
    EXPECT_EXIT(run_alone(engine_choice::uring, dropped_when_the_ring_is_full()), testing::ExitedWithCode(0), "");
}

command long_sleep()
{
    command sleep;
    sleep.program = "/bin/sleep";
    sleep.arguments = {"sleep", "1000"};
    return sleep;
}
csp::process spawns_without_memory()
{
    auto first = co_await spawn(long_sleep());  // so that there is a thread for such calls
    EXPECT_TRUE(first->kill(SIGKILL));
    EXPECT_TRUE((co_await first->exited(soon())).has_value());
    {
        // The call itself is performed by the other thread, which has memory.
        auto next = spawn(long_sleep());
        const out_of_memory now;
        const auto refused = co_await std::move(next);
        EXPECT_TRUE(!refused && refused.error().number == ENOMEM);
    }
    EXPECT_TRUE(::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD) << "no child is left";
}

TEST(shortage, of_memory_for_a_child_ends_it)
{
    EXPECT_EXIT(run_alone(engine_choice::epoll, spawns_without_memory()), testing::ExitedWithCode(0), "");
}

struct alarm : csp::timer {
    explicit alarm(csp::room from = csp::room::any) : timer([](timer&) noexcept {}, from) {}
};

TEST(shortage, of_memory_does_not_concern_timers_with_a_place)
{
    csp::detail::timer_queue queue;
    std::vector<std::unique_ptr<alarm>> others;
    alarm reserved(csp::room::reserved);
    queue.reserve(1);
    for (int i = 0; i < 100; ++i) {
        queue.set(*others.emplace_back(std::make_unique<alarm>()), csp::time_point(std::chrono::seconds(i)));
        const out_of_memory now;
        queue.set(reserved, {});
        queue.cancel(reserved);
    }
    for (const auto& one : others) queue.cancel(*one);
}

}  // namespace
}  // namespace io::test
