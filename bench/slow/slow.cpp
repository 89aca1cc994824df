// SPDX-License-Identifier: MIT
// Slow clients, thousands at once on one thread: some send a head, some send a body and some read an answer, a little
// every second. Most of each kind are steady, like a client on a slow line; some are slower than a server must
// tolerate. Prints "ready" when all are connected, and at the end one line of JSON with the results.

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace {

using steady_clock = std::chrono::steady_clock;

struct options {
    std::uint16_t port = 8080;
    std::string path = "/";
    unsigned steady = 3000;  // of each kind
    unsigned too_slow = 200;
    double seconds = 14;
    double opening_seconds = 3;
    unsigned bytes = 200;  // per second, of a steady client that sends
    unsigned too_few = 20;
};

enum kind : unsigned { head, body, reader };
constexpr unsigned kinds = 3;
constexpr std::array<std::string_view, kinds> names{"heads", "bodies", "readers"};

enum class fate : std::uint8_t { not_begun, opening, open, failed, cut_off };

struct client {
    int fd = -1;
    kind what = head;
    bool is_steady = true;
    fate now = fate::not_begun;
    steady_clock::time_point since{};
    double lasted = 0;  // seconds until it was cut off
};

class crowd {
  public:
    explicit crowd(const options& o) : options_(o), poll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(64 * 1024)
    {
        for (unsigned i = 0; i < o.steady + o.too_slow; ++i) {
            for (const kind what : {head, body, reader}) all_.push_back({.what = what, .is_steady = i >= o.too_slow});
        }
        for (const std::size_t bytes : {o.bytes, o.too_few})
            line_.push_back("X: " + std::string(bytes - 5, 'x') + "\r\n");
    }

    /// Serves all clients once per second; the first round, in which they connect, is slower.
    void run()
    {
        const auto began = steady_clock::now();
        std::size_t done = 0;  // turns of all clients in all rounds
        bool told = false;
        for (;;) {
            const double now = std::chrono::duration<double>(steady_clock::now() - began).count();
            if (now >= options_.seconds) break;
            const double rounds =
                now < options_.opening_seconds ? now / options_.opening_seconds : 1 + (now - options_.opening_seconds);
            const auto due = static_cast<std::size_t>(rounds * static_cast<double>(all_.size()));
            // Skip rounds that cannot be kept up with: no client may be silent and then send everything at once.
            done = std::max(done, due - std::min(due, all_.size()));
            for (; done < due; ++done) take_turn(all_[done % all_.size()]);
            look();
            if (!told && done >= all_.size() + all_.size() / 10) {
                told = true;
                fmt::print("ready\n");
                std::fflush(stdout);
            }
        }
    }

    void report() const
    {
        std::string text = "{";
        for (const kind what : {head, body, reader}) {
            for (const bool is_steady : {true, false}) {
                std::array<unsigned, 5> fates{};
                std::vector<double> lasted;
                for (const client& c : all_) {
                    if (c.what != what || c.is_steady != is_steady) continue;
                    ++fates[static_cast<std::size_t>(c.now)];
                    if (c.now == fate::cut_off) lasted.push_back(c.lasted);
                }
                std::ranges::sort(lasted);
                text +=
                    fmt::format(R"({}"{}_{}": {{"open": {}, "cut_off": {}, "failed": {}, "after_seconds": {:.1f}}})",
                                text.size() > 1 ? ", " : "", is_steady ? "steady" : "too_slow", names[what],
                                fates[static_cast<std::size_t>(fate::open)], lasted.size(),
                                fates[0] + fates[1] + fates[static_cast<std::size_t>(fate::failed)],
                                lasted.empty() ? 0 : lasted[lasted.size() / 2]);
            }
        }
        fmt::print("{}}}\n", text);
    }

  private:
    void take_turn(client& c)
    {
        switch (c.now) {
            case fate::not_begun:
                begin(c);
                break;
            case fate::open:
                go_on(c);
                break;
            case fate::opening:
            case fate::failed:
            case fate::cut_off:
                break;
        }
    }

    void begin(client& c)
    {
        c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int on = 1;
        const int small = 4096;
        const linger reset{.l_onoff = 1, .l_linger = 0};  // leaves no port in TIME_WAIT
        setsockopt(c.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        if (c.what == reader) setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        sockaddr_in from{
            .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(0x7f000002U + c.what)}, .sin_zero = {}};
        sockaddr_in to{.sin_family = AF_INET,
                       .sin_port = htons(options_.port),
                       .sin_addr = {htonl(INADDR_LOOPBACK)},
                       .sin_zero = {}};
        epoll_event both{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = &c}};
        c.now = fate::opening;
        if (c.fd < 0 || bind(c.fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0 ||
            (connect(c.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) ||
            epoll_ctl(poll_, EPOLL_CTL_ADD, c.fd, &both) != 0) {
            end(c, fate::failed);
        }
    }

    void send_text(client& c, std::string_view text)
    {
        if (send(c.fd, text.data(), text.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN) end(c, fate::cut_off);
    }

    void introduce(client& c)
    {
        c.now = fate::open;
        c.since = steady_clock::now();
        if (c.what == head) send_text(c, fmt::format("GET {} HTTP/1.1\r\nHost: slow\r\n", options_.path));
        if (c.what == body) send_text(c, "POST / HTTP/1.1\r\nHost: slow\r\nContent-Length: 1000000\r\n\r\n");
        if (c.what == reader) send_text(c, fmt::format("GET {} HTTP/1.1\r\nHost: slow\r\n\r\n", options_.path));
    }

    void go_on(client& c)
    {
        if (c.what != reader) {
            send_text(c, line_[c.is_steady ? 0 : 1]);
            return;
        }
        // A window opens only when half of it is free, so a steady reader reads everything available.
        const std::size_t most = c.is_steady ? buffer_.size() : options_.too_few;
        const ssize_t got = recv(c.fd, buffer_.data(), most, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN)) end(c, fate::cut_off);
    }

    void look()
    {
        std::array<epoll_event, 256> events;
        const int count = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), 1);
        for (int i = 0; i < count; ++i)
            hear(*static_cast<client*>(events[static_cast<std::size_t>(i)].data.ptr),
                 events[static_cast<std::size_t>(i)].events);
    }

    void hear(client& c, std::uint32_t events)
    {
        if (c.now == fate::opening) {
            if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
                end(c, fate::failed);
            } else if ((events & EPOLLOUT) != 0) {
                introduce(c);
            }
        }
        if (c.now != fate::open) return;
        if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) {
            end(c, fate::cut_off);
        } else if (c.what != reader && (events & EPOLLIN) != 0) {
            // A client that sends a head can only receive a refusal; one that sends a body has been answered before.
            const ssize_t got = recv(c.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
            if (got == 0 || (c.what == head && got > 0)) end(c, fate::cut_off);
        }
    }

    void end(client& c, fate how)
    {
        if (c.now == fate::open) c.lasted = std::chrono::duration<double>(steady_clock::now() - c.since).count();
        c.now = how;
        if (c.fd >= 0) close(c.fd);
        c.fd = -1;
    }

    options options_;
    int poll_;
    std::vector<char> buffer_;
    std::vector<client> all_;
    std::vector<std::string> line_;
};

}  // namespace

int main(int argc, char** argv)
{
    options o;
    CLI::App app("slow clients", "slow");
    app.add_option("--port", o.port)->required();
    app.add_option("--path", o.path, "what the readers ask for: much");
    app.add_option("--steady", o.steady, "clients of each kind");
    app.add_option("--too-slow", o.too_slow, "more of each kind, who are slower than that");
    app.add_option("--seconds", o.seconds);
    app.add_option("--opening-seconds", o.opening_seconds, "in which they all connect");
    app.add_option("--bytes", o.bytes, "what a steady client sends a second")->check(CLI::Range(10, 4096));
    app.add_option("--too-few", o.too_few, "what the others send or read")->check(CLI::Range(10, 4096));
    CLI11_PARSE(app, argc, argv);
    crowd all(o);
    all.run();
    all.report();
    return 0;
}
