// SPDX-License-Identifier: MIT
// The CSP micro benchmarks in Boost.Fiber, with the rows of bench/micro, so that both fit in one table. One line per
// row: name, value and unit, separated by tabs. Boost.Fiber cannot wait on several channels: it has no `alt 8`.

#include <algorithm>
#include <array>
#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <sched.h>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using boost::fibers::channel_op_status;
using boost::fibers::fiber;
using channel = boost::fibers::unbuffered_channel<int>;
using steady = std::chrono::steady_clock;

// Enough for these processes, and small enough for a million of them.
constexpr std::size_t stack_bytes = 16384;

template <class Body>
fiber fork(Body body, boost::fibers::launch when = boost::fibers::launch::post)
{
    return fiber(when, std::allocator_arg, boost::fibers::fixedsize_stack(stack_bytes), std::move(body));
}

double ns_since(steady::time_point start)
{
    return std::chrono::duration<double, std::nano>(steady::now() - start).count();
}

// A benchmark repeats its operation n times and returns the time in ns. A channel is closed by its writer only: Boost
// 1.74 schedules a writer twice if its channel is closed under it and then read.
enum class delta_outputs { sequential, parallel };

template <delta_outputs Outputs>
double commstime(long n)
{
    channel from_prefix, to_succ, to_consume, from_succ;
    bool running = true;
    fiber prefix = fork([&] {
        from_prefix.push(0);
        for (int x; running && from_succ.pop(x) == channel_op_status::success;) from_prefix.push(x);
        from_prefix.close();
    });
    fiber delta = fork([&] {
        for (int x; from_prefix.pop(x) == channel_op_status::success;) {
            if constexpr (Outputs == delta_outputs::parallel) {
                fiber branch = fork([&] { to_succ.push(x); });
                to_consume.push(x);
                branch.join();
            } else {
                to_succ.push(x);
                to_consume.push(x);
            }
        }
        to_succ.close();
        to_consume.close();
    });
    fiber succ = fork([&] {
        for (int x; to_succ.pop(x) == channel_op_status::success;) from_succ.push(x + 1);
        from_succ.close();
    });

    int x;
    for (int i = 0; i < 1000; ++i) to_consume.pop(x);
    auto start = steady::now();
    for (long i = 0; i < n; ++i) to_consume.pop(x);
    double ns = ns_since(start);
    running = false;
    while (to_consume.pop(x) == channel_op_status::success) {
    }
    from_succ.pop(x);  // succ may still be writing to prefix, which has ended
    for (fiber* f : {&prefix, &delta, &succ}) f->join();
    return ns;
}

double ring(long n)
{
    constexpr std::size_t processes = 1000;
    std::vector<channel> links(processes);
    std::vector<fiber> members;
    for (std::size_t i = 1; i < processes; ++i)
        members.push_back(fork([&in = links[i - 1], &out = links[i]] {
            for (int token; in.pop(token) == channel_op_status::success;) out.push(token);
            out.close();
        }));
    auto round = [&] {
        int token = 1;
        links.front().push(token);
        links.back().pop(token);
    };
    round();
    auto start = steady::now();
    for (long i = 0; i < n / static_cast<long>(processes); ++i) round();
    double ns = ns_since(start);
    links.front().close();
    for (fiber& member : members) member.join();
    return ns;
}

double fork_one_by_one(long n)
{
    auto start = steady::now();
    for (long i = 0; i < n; ++i) fork([] {}, boost::fibers::launch::dispatch).join();
    return ns_since(start);
}

double fork_all(long n)
{
    std::vector<fiber> forks;
    forks.reserve(static_cast<std::size_t>(n));
    auto start = steady::now();
    for (long i = 0; i < n; ++i) forks.push_back(fork([] {}));
    for (fiber& f : forks) f.join();
    return ns_since(start);
}

double resident_bytes()
{
    long size = 0;
    long pages = 0;
    std::ifstream("/proc/self/statm") >> size >> pages;
    return static_cast<double>(pages * sysconf(_SC_PAGESIZE));
}

// Bytes of memory per process, for n processes that each wait on their own channel.
double blocked_bytes(long n)
{
    double before = resident_bytes();
    std::vector<std::unique_ptr<channel>> channels(static_cast<std::size_t>(n));
    std::vector<fiber> processes;
    processes.reserve(channels.size());
    for (auto& c : channels) {
        c = std::make_unique<channel>();
        processes.push_back(fork([in = c.get()] {
            int x;
            in->pop(x);
        }));
    }
    boost::this_fiber::yield();  // all others run, and are waiting when this continues
    double bytes = resident_bytes() - before;
    for (auto& c : channels) c->close();
    for (fiber& f : processes) f.join();
    return bytes / static_cast<double>(n);
}

std::vector<int> allowed_cores()
{
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    std::vector<int> cores;
    for (int core = 0; core < CPU_SETSIZE; ++core)
        if (CPU_ISSET(core, &set)) cores.push_back(core);
    return cores;
}

void use_core(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

double ping_pong(int other_core, long n)
{
    channel ping, pong;
    std::thread other([&] {
        use_core(other_core);
        for (int x; ping.pop(x) == channel_op_status::success;) pong.push(x);
    });
    auto start = steady::now();
    for (int i = 0; i < n; ++i) {
        int x = i;
        ping.push(x);
        pong.pop(x);
    }
    double ns = ns_since(start);
    ping.close();
    other.join();
    return ns;
}

// Messages flow one way, so the writer may run ahead: use a buffered channel.
double stream(int other_core, long n)
{
    boost::fibers::buffered_channel<int> messages(1024);
    std::thread other([&] {
        use_core(other_core);
        for (int i = 0; i < n; ++i) messages.push(i);
        messages.close();
    });
    int x;
    messages.pop(x);
    auto start = steady::now();
    while (messages.pop(x) == channel_op_status::success) {
    }
    double ns = ns_since(start);
    other.join();
    return ns;
}

// As many concurrent processes as half of the free memory holds, at most a million.
long most_processes()
{
    long pages = sysconf(_SC_AVPHYS_PAGES) / 2 / static_cast<long>(1 + stack_bytes / 4096);
    return std::min(pages, 1'000'000L);
}

void row(const char* name, std::optional<double> value, const char* unit)
{
    if (value)
        std::printf("%s\t%.4g\t%s\n", name, *value, unit);
    else
        std::printf("%s\t-\t%s\n", name, unit);
    std::fflush(stdout);
}

// Warms up with a tenth of the runs, then measures; ns per operation.
template <class Benchmark>
double ns_each(Benchmark benchmark, long n, int communications = 1)
{
    benchmark(n / 10);
    return benchmark(n) / static_cast<double>(n) / communications;
}

}  // namespace

int main(int argc, char** argv)
{
    long scale = argc > 1 && std::string_view(argv[1]) == "--quick" ? 10 : 1;
    auto cores = allowed_cores();
    use_core(cores[0]);
    long many = most_processes() / scale;

    // First, before any stack is reused.
    double blocked = blocked_bytes(many);
    row("commstime sequential", ns_each(commstime<delta_outputs::sequential>, 1'000'000 / scale, 4), "ns");
    row("commstime parallel", ns_each(commstime<delta_outputs::parallel>, 500'000 / scale, 4), "ns");
    row("ring 1000", ns_each(ring, 3'000'000 / scale), "ns");
    row("alt 8", std::nullopt, "ns");
    row("fork one by one", ns_each(fork_one_by_one, 2'000'000 / scale), "ns");
    row("fork all", ns_each(fork_all, many), "ns");
    row("blocked bytes", blocked, "bytes");
    if (cores.size() < 2) {
        row("core ping-pong", std::nullopt, "ns");
        row("core stream", std::nullopt, "messages/s");
        return 0;
    }
    row("core ping-pong", ns_each([&](long n) { return ping_pong(cores[1], n); }, 100'000 / scale), "ns");
    row("core stream", 1e9 / ns_each([&](long n) { return stream(cores[1], n); }, 5'000'000 / scale), "messages/s");
}
