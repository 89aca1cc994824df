// SPDX-License-Identifier: MIT
//
// Measures the primitives of the runtime. Prints one line per row: name, value and unit, separated by tabs. Each row is
// the best of several short runs, because noise on a shared machine only ever adds.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/kernel.hpp"
#include "csp/par.hpp"
#include "csp/timer.hpp"

namespace {

using namespace csp;

// The measurement of the last network. Its processes share nothing else with main().
double measured;

class stopwatch {
  public:
    void note_each(std::int64_t operations) const
    {
        const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin_;
        measured = taken.count() / static_cast<double>(operations);
    }

  private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// ---- commstime: prefix -> delta -> consume, and back by succ. Four communications a round.

process prefix(in<int> values, out<int> to_delta)
{
    if (!co_await to_delta.output(0)) co_return;
    while (auto v = co_await values.input()) {
        if (!co_await to_delta.output(*v)) co_return;
    }
}
process delta_in_turn(in<int> values, out<int> to_consumer, out<int> to_successor)
{
    while (auto v = co_await values.input()) {
        if (!co_await to_successor.output(*v) || !co_await to_consumer.output(*v)) co_return;
    }
}
process delta_at_once(in<int> values, out<int> to_consumer, out<int> to_successor)
{
    while (auto v = co_await values.input()) {
        const auto [consumed, returned] = co_await par(to_consumer.output(*v), to_successor.output(*v));
        if (!consumed || !returned) co_return;
    }
}
process successor(in<int> values, out<int> to_prefix)
{
    while (auto v = co_await values.input()) {
        if (!co_await to_prefix.output(*v + 1)) co_return;
    }
}
process consumer(int rounds, in<int> values)
{
    for (int i = 0; i < 100; ++i) co_await values.input();
    const stopwatch watch;
    for (int i = 0; i < rounds; ++i) co_await values.input();
    watch.note_each(std::int64_t{4} * rounds);
}

enum class delta : std::uint8_t { in_turn, at_once };

process commstime(delta how, int rounds)
{
    chan<int> a;
    chan<int> b;
    chan<int> c;
    chan<int> d;
    co_await par(prefix(c.rx(), a.tx()),
                 how == delta::in_turn ? delta_in_turn(a.rx(), d.tx(), b.tx()) : delta_at_once(a.rx(), d.tx(), b.tx()),
                 successor(b.rx(), c.tx()), consumer(rounds, d.rx()));
}

// ---- a token that goes round

process passes_on(in<int> from_left, out<int> to_right)
{
    while (auto token = co_await from_left.input()) {
        if (!co_await to_right.output(*token)) co_return;
    }
}
process sends_round(int rounds, int length, in<int> from_left, out<int> to_right)
{
    co_await to_right.output(0);
    co_await from_left.input();
    const stopwatch watch;
    for (int i = 0; i < rounds; ++i) {
        co_await to_right.output(i);
        co_await from_left.input();
    }
    watch.note_each(std::int64_t{rounds} * length);
}
process ring(int rounds)
{
    constexpr int length = 1000;
    forking members;
    chan<int> first;
    in<int> from_left = first.rx();
    for (int i = 1; i < length; ++i) {
        chan<int> next;
        members.start(passes_on(std::move(from_left), next.tx()));
        from_left = next.rx();
    }
    members.start(sends_round(rounds, length, std::move(from_left), first.tx()));
    co_await members.join();
}

// ---- ALT over writers that are always ready

process busy_writer(out<int> to_reader)
{
    for (int i = 0; co_await to_reader.output(i); ++i) {
    }
}
process chooser(int choices, std::vector<in<int>> sources)
{
    const stopwatch watch;
    for (int i = 0; i < choices; ++i) {
        const auto chosen = co_await fair_alt(sources);
        co_await sources[chosen.position()].input();
    }
    watch.note_each(choices);
}
process alt_8(int choices)
{
    forking all;
    std::vector<in<int>> sources;
    for (int i = 0; i < 8; ++i) {
        chan<int> c;
        sources.push_back(c.rx());
        all.start(busy_writer(c.tx()));
    }
    co_await yield();
    all.start(chooser(choices, std::move(sources)));
    co_await all.join();
}

// ---- processes come and go

process nothing() { co_return; }

process fork_one_by_one(int how_many)
{
    forking all;
    const stopwatch watch;
    for (int i = 0; i < how_many; ++i) {
        all.start(nothing());
        co_await all.join();
    }
    watch.note_each(how_many);
}
process fork_all(int how_many)
{
    forking all;
    const stopwatch watch;
    for (int i = 0; i < how_many; ++i) all.start(nothing());
    co_await all.join();
    watch.note_each(how_many);
}

// ---- memory

std::int64_t resident_bytes()
{
    std::FILE* const statm = std::fopen("/proc/self/statm", "r");
    long all = 0;
    long resident = 0;
    const int fields = statm == nullptr ? 0 : std::fscanf(statm, "%ld %ld", &all, &resident);
    if (statm != nullptr) std::fclose(statm);
    return fields == 2 ? std::int64_t{resident} * sysconf(_SC_PAGESIZE) : 0;
}
process waits_for_ever(in<int> values) { co_await values.input(); }
process blocked_bytes(int how_many)
{
    forking all;
    std::vector<out<int>> writers(static_cast<std::size_t>(how_many));  // touched now, so it is resident
    const std::int64_t before = resident_bytes();
    for (auto& writer : writers) {
        chan<int> c;
        writer = c.tx();
        all.start(waits_for_ever(c.rx()));
    }
    co_await yield();  // when this runs again, the others have run and wait
    measured = static_cast<double>(resident_bytes() - before) / how_many;
    writers.clear();
    co_await all.join();
}

// ---- two cores

process echoes(in<int> values, bridge_out<int> to_other)
{
    while (auto v = co_await values.input()) {
        if (!co_await to_other.output(*v)) co_return;
    }
}
process calls(int rounds, in<int> values, bridge_out<int> to_other)
{
    co_await to_other.output(0);
    co_await values.input();
    const stopwatch watch;
    for (int i = 0; i < rounds; ++i) {
        co_await to_other.output(i);
        co_await values.input();
    }
    watch.note_each(rounds);
}
process ping_pong(int rounds)
{
    core& other = core::here().sibling(1);
    forking all;
    bridge<int> there(other);
    bridge<int> back(core::here());
    all.start_on(other, echoes(there.rx(), back.tx()));
    all.start(calls(rounds, back.rx(), there.tx()));
    co_await all.join();
}

process streams_out(int how_many, buffered_out<int> to_reader)
{
    for (int i = 0; i < how_many; ++i) {
        if (!co_await to_reader.output(i)) co_return;
    }
}
process streams_in(buffered_in<int> values)
{
    co_await values.input();
    const stopwatch watch;
    std::int64_t received = 0;
    while (co_await values.input()) ++received;
    watch.note_each(received);
}
process stream(int how_many)
{
    core& other = core::here().sibling(1);
    forking all;
    buffered_bridge<int> b(other, 1024);
    all.start_on(other, streams_in(b.rx()));
    all.start(streams_out(how_many, b.tx()));
    co_await all.join();
}

// ---- rows

int best_of = 15;
int scale = 1;

void print_row(const char* name, double value, const char* unit)
{
    fmt::print("{}\t{:.4g}\t{}\n", name, value, unit);
    std::fflush(stdout);
}

template <class MakeNetwork>
double best_on_one_core(MakeNetwork make_network)
{
    double best = std::numeric_limits<double>::max();
    for (int i = 0; i < best_of; ++i) {
        kernel({.pinned = true}).run(make_network());
        best = std::min(best, measured);
    }
    return best;
}

template <class MakeNetwork>
double best_on_two_cores(MakeNetwork make_network)
{
    double best = std::numeric_limits<double>::max();
    for (int i = 0; i < best_of; ++i) {
        kernel({.cores = 2, .spin = std::chrono::milliseconds(1), .pinned = true}).run(make_network());
        best = std::min(best, measured);
    }
    return best;
}

/// Measures in a process of its own, which has used no memory before.
double in_fresh_process(int how_many)
{
    int ends[2];
    if (pipe(ends) != 0) return 0;
    const pid_t child = fork();
    if (child == 0) {
        kernel({.pinned = true}).run(fork_all(how_many));
        _exit(write(ends[1], &measured, sizeof measured) == sizeof measured ? 0 : 1);
    }
    double taken = 0;
    close(ends[1]);
    if (child < 0 || read(ends[0], &taken, sizeof taken) != sizeof taken) taken = 0;
    close(ends[0]);
    if (child > 0) waitpid(child, nullptr, 0);
    return taken;
}

double best_when_cold(int how_many)
{
    double best = std::numeric_limits<double>::max();
    for (int i = 0; i < best_of; ++i) best = std::min(best, in_fresh_process(how_many));
    return best;
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc == 2 && std::strcmp(argv[1], "--quick") == 0) {
        best_of = 3;
        scale = 10;
    } else if (argc > 1) {
        fmt::print(stderr, "usage: {} [--quick]\n", argv[0]);
        return 2;
    }
    // First, while there is no memory to reuse.
    const double cold = best_when_cold(1'000'000 / scale);
    kernel({.pinned = true}).run(blocked_bytes(1'000'000 / scale));
    const double bytes = measured;

    const auto row_in_ns = [](const char* name, auto make_network) {
        print_row(name, best_on_one_core(make_network), "ns");
    };
    row_in_ns("commstime sequential", [] { return commstime(delta::in_turn, 300'000 / scale); });
    row_in_ns("commstime parallel", [] { return commstime(delta::at_once, 300'000 / scale); });
    row_in_ns("ring 1000", [] { return ring(1000 / scale); });
    row_in_ns("alt 8", [] { return alt_8(1'000'000 / scale); });
    row_in_ns("fork one by one", [] { return fork_one_by_one(1'000'000 / scale); });
    row_in_ns("fork all", [] { return fork_all(1'000'000 / scale); });
    print_row("fork all cold", cold, "ns");
    print_row("blocked bytes", bytes, "bytes");

    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) {
        fmt::print("core ping-pong\t-\tns\ncore stream\t-\tmessages/s\n");
        return 0;
    }
    print_row("core ping-pong", best_on_two_cores([] { return ping_pong(20'000 / scale); }), "ns");
    print_row("core stream", 1e9 / best_on_two_cores([] { return stream(2'000'000 / scale); }), "messages/s");
}
