// SPDX-License-Identifier: MIT
// What a module outside the server would cost: 64 clients in one process, each of which sends a request frame over one
// unix stream socket to a second process and waits for its reply. There a handler of its own echoes it. Frames are
// mobile records with an id; on each side one process, `line`, owns the socket, and frames that are ready at the same
// time share a system call. Prints round trips a second and the processor time of both processes for each.
//
// To compare: nginx with a FastCGI program that echoes, asked by wrk with 64 connections.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/ask.hpp"
#include "csp/channel.hpp"
#include "csp/forking.hpp"
#include "csp/kernel.hpp"
#include "csp/par.hpp"
#include "io/engine.hpp"
#include "io/readiness.hpp"
#include "io/socket.hpp"

namespace {

struct frame {
    std::uint32_t id = 0;
    std::string bytes;
};
static_assert(csp::mobile<frame>);

/// A frame to be sent, whose answer is the frame with the same id that comes back.
struct request {
    frame what = {};
    csp::out<frame> answer = {};
};

struct frame_head {
    std::uint32_t id = 0;
    std::uint32_t bytes = 0;
};

/// Sends and receives frames, many at once if many are ready.
class frame_socket {
  public:
    explicit frame_socket(io::socket s) : socket_(std::move(s)) {}

    void add(const frame& f)
    {
        const frame_head head{.id = f.id, .bytes = static_cast<std::uint32_t>(f.bytes.size())};
        outgoing_.append(reinterpret_cast<const char*>(&head), sizeof head).append(f.bytes);
    }
    [[nodiscard]] bool has_outgoing() const { return !outgoing_.empty(); }
    csp::step<void> send_some()
    {
        const auto sent = co_await io::send(socket_, outgoing_, csp::core::here().now());
        outgoing_.erase(0, sent ? *sent : sent.error().timed_out() ? 0 : outgoing_.size());
    }
    /// False at the end.
    csp::step<bool> receive_some()
    {
        const auto got = co_await io::recv(socket_, room_, csp::core::here().now());
        if (got) incoming_.append(room_.data(), *got);
        co_return got ? *got > 0 : got.error().timed_out();
    }
    [[nodiscard]] std::optional<frame> next()
    {
        frame_head head;
        const std::string_view left = std::string_view(incoming_).substr(taken_);
        if (left.size() >= sizeof head) std::memcpy(&head, left.data(), sizeof head);
        if (left.size() < sizeof head || left.size() < sizeof head + head.bytes) {
            incoming_.erase(0, std::exchange(taken_, 0));
            return std::nullopt;
        }
        taken_ += sizeof head + head.bytes;
        return frame{head.id, std::string(left.substr(sizeof head, head.bytes))};
    }
    [[nodiscard]] io::socket& socket() { return socket_; }

  private:
    io::socket socket_;
    std::string outgoing_;
    std::string incoming_;
    std::size_t taken_ = 0;
    std::array<char, 128 * 1024> room_;
};

/// The server's side: a pure server, which answers when the reply has come.
csp::process line(io::socket s, csp::in<request> requests, std::size_t clients)
{
    const auto frames = std::make_unique<frame_socket>(std::move(s));
    std::vector<csp::out<frame>> answers(clients);
    io::readable arrivals(frames->socket());
    io::writable room(frames->socket());
    for (;;) {
        const auto chosen = co_await csp::pri_alt(requests, arrivals, csp::when(frames->has_outgoing(), room));
        if (chosen == requests) {
            auto r = co_await requests.input();
            if (!r) co_return;
            frames->add(r->what);
            answers[r->what.id] = std::move(r->answer);
        } else if (chosen == arrivals) {
            if (!co_await frames->receive_some()) co_return;
            while (auto reply = frames->next()) {
                csp::out<frame> to = std::move(answers[reply->id]);
                co_await to.output(std::move(*reply));
            }
        } else {
            co_await frames->send_some();
        }
    }
}

csp::process client(std::uint32_t id, std::size_t bytes, csp::time_point end, csp::shared_out<request> to_line,
                    csp::shared_out<std::uint64_t> to_sum)
{
    std::uint64_t round_trips = 0;
    frame mine{id, std::string(bytes, 'x')};
    while (csp::core::here().now() < end) {
        auto reply = co_await csp::ask(to_line, request{.what = std::move(mine)});
        if (!reply || reply->bytes.size() != bytes) break;
        mine = std::move(*reply);
        ++round_trips;
    }
    co_await to_sum.output(round_trips);
}

csp::process sum(csp::in<std::uint64_t> counts, csp::out<std::uint64_t> total)
{
    std::uint64_t all = 0;
    while (const auto n = co_await counts.input()) all += *n;
    co_await total.output(all);
}

csp::process report(csp::in<std::uint64_t> total, csp::time_point began)
{
    const auto all = co_await total.input();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    fmt::print("{} round trips, {:.0f} a second\n", all.value_or(0), static_cast<double>(all.value_or(0)) / seconds);
}

csp::process clients(io::descriptor to_module, std::uint32_t how_many, std::size_t bytes, std::chrono::seconds duration)
{
    csp::chan<request> requests;
    csp::chan<std::uint64_t> counts, total;
    csp::forking all;
    const auto began = std::chrono::steady_clock::now();
    for (std::uint32_t id = 0; id < how_many; ++id) {
        all.start(client(id, bytes, began + duration, requests.shared_tx(), counts.shared_tx()));
    }
    co_await csp::par(line(io::socket(std::move(to_module)), requests.rx(), how_many), sum(counts.rx(), total.tx()),
                      report(total.rx(), began));
}

/// The module's side: hands each request to a handler that waits for one.
csp::process dispatcher(io::socket s, csp::shared_out<frame> to_handlers, csp::in<frame> replies)
{
    const auto frames = std::make_unique<frame_socket>(std::move(s));
    io::readable arrivals(frames->socket());
    io::writable room(frames->socket());
    for (;;) {
        const auto chosen = co_await csp::pri_alt(replies, arrivals, csp::when(frames->has_outgoing(), room));
        if (chosen == replies) {
            const auto reply = co_await replies.input();
            if (!reply) co_return;
            frames->add(*reply);
        } else if (chosen == arrivals) {
            if (!co_await frames->receive_some()) co_return;
            // Each client has one request under way and there is a handler for each, so this waits for no reply.
            while (auto asked = frames->next()) co_await to_handlers.output(std::move(*asked));
        } else {
            co_await frames->send_some();
        }
    }
}

csp::process handler(csp::shared_in<frame> requests, csp::shared_out<frame> replies)
{
    while (auto f = co_await requests.input()) co_await replies.output(std::move(*f));
}

csp::process module(io::descriptor to_clients, std::uint32_t handlers)
{
    csp::chan<frame> requests, replies;
    csp::forking all;
    for (std::uint32_t i = 0; i < handlers; ++i) all.start(handler(requests.shared_rx(), replies.shared_tx()));
    co_await csp::par(dispatcher(io::socket(std::move(to_clients)), requests.shared_tx(), replies.rx()));
}

double cpu_seconds(int who)
{
    rusage used{};
    ::getrusage(who, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

int main(int argc, char** argv)
{
    std::uint32_t how_many = 64;
    std::size_t bytes = 1024;
    unsigned seconds = 3;
    CLI::App options("Echoes frames between two processes over a socket.");
    options.add_option("--clients", how_many)->capture_default_str();
    options.add_option("--bytes", bytes)->capture_default_str();
    options.add_option("--seconds", seconds)->capture_default_str();
    CLI11_PARSE(options, argc, argv);

    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return 1;
    io::descriptor ours(ends[0]);
    io::descriptor modules(ends[1]);
    if (::fork() == 0) {
        ours = {};
        csp::kernel(csp::kernel::options(), io::engines()).run(module(std::move(modules), how_many));
        ::_exit(0);
    }
    modules = {};
    csp::kernel(csp::kernel::options(), io::engines())
        .run(clients(std::move(ours), how_many, bytes, std::chrono::seconds(seconds)));
    ::wait(nullptr);
    fmt::print("{:.2f} s of processor time here, {:.2f} s in the other process\n", cpu_seconds(RUSAGE_SELF),
               cpu_seconds(RUSAGE_CHILDREN));
    return 0;
}
