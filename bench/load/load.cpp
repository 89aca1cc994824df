// SPDX-License-Identifier: MIT
// The load generator: N connections on one thread. It checks status and exact length of every answer.
//
// Closed loop (the default): every connection sends its next request as soon as it has its answer. Open loop
// (--rate): requests fall due at a steady rate whatever the server does, and a latency counts from the moment its
// request was due, so a server that stalls cannot hide the requests that had to wait (coordinated omission).
//
// With --requests-per-connection K, the K-th request says `Connection: close`; the generator then waits for the
// server's end of the connection before it opens the next. The latency of a connection's first request includes its
// connect. With --pipeline N, a connection sends N requests in one piece and waits for all N answers before it sends
// the next N. With --range-of SIZE, the requests are for ranges of --length bytes: each connection goes through a file
// of SIZE bytes from its beginning to its end, again and again. Prints one line of JSON; exits with 1 if any answer was
// wrong.

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <string>
#include <string_view>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

struct options {
    std::uint16_t port = 8080;
    std::string path = "/";
    std::optional<std::size_t> length;
    unsigned status = 200;
    std::size_t range_of = 0;
    bool is_distinct = false;
    unsigned connections = 32;
    unsigned requests_per_connection = 0;
    unsigned pipeline = 1;
    double seconds = 3;
    double rate = 0;
    std::uint64_t most_answers = 100'000'000;
    bool shares_its_core = false;
};

constexpr auto patience = 5s;               // for late answers at the end, and again for requests in progress then
constexpr std::uint64_t most_errors = 100;  // then the run is aborted

// Latencies, to the microsecond up to about a second.
class histogram {
  public:
    void add(steady::duration latency)
    {
        auto us = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(latency).count());
        ++counts_[std::min(us, counts_.size() - 1)];
        ++total_;
        max_ = std::max(max_, us);
    }

    // The latency that the fraction `part` of all did not exceed.
    std::uint64_t quantile(double part) const
    {
        auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t us = 0; us + 1 < counts_.size(); ++us)
            if ((seen += counts_[us]) > wanted) return us;
        return max_;
    }

    std::uint64_t max() const { return max_; }

  private:
    std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(1 << 20);
    std::uint64_t total_ = 0;
    std::uint64_t max_ = 0;
};

// The value of a field in a response head, without the space before it.
std::optional<std::string_view> field(std::string_view head, std::string_view name)
{
    for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
        std::string_view line = head.substr(at + 2);
        if (line.size() <= name.size() || line[name.size()] != ':') continue;
        if (strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
        line = line.substr(name.size() + 1, line.find("\r\n") - name.size() - 1);
        return line.substr(std::min(line.find_first_not_of(' '), line.size()));
    }
    return std::nullopt;
}

struct connection {
    enum class state { closed, connecting, idle, in_head, in_body, ending };

    state now = state::closed;
    int fd = -1;
    unsigned made = 0;         // requests sent on this connection
    unsigned awaited = 0;      // answers to them still outstanding
    std::size_t range_at = 0;  // offset of the next range
    steady::time_point since;  // start time of the present request
    std::string head;          // the part of a response head received so far, if it was split
    std::size_t body_left = 0;
    bool last = false;  // the server will close after this answer
};

class generator {
  public:
    explicit generator(const options& o)
        : options_(o),
          poll_(epoll_create1(EPOLL_CLOEXEC)),
          head_(fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: load\r\nAccept: */*\r\n", o.path,
                            o.port)),
          status_line_(fmt::format("HTTP/1.1 {} ", o.status)),
          connections_(o.connections),
          buffer_(65536)
    {
        all_due_ = static_cast<std::uint64_t>(o.rate * o.seconds);
        for (unsigned i = 0; i < o.pipeline; ++i) requests_ += head_ + "\r\n";
    }

    void run()
    {
        start_ = last_answer_ = steady::now();
        end_ = start_ + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(options_.seconds));
        for (auto& c : connections_) {
            if (open_loop())
                idle_.push_back(&c);
            else
                begin(c, start_);
        }
        while (work_left()) {
            if (open_loop()) begin_what_is_due();
            wait();
        }
        for (auto& c : connections_)
            if (under_way(c)) fail(c, "no answer in time, or the connection was not closed");
    }

    void report() const
    {
        double took = std::chrono::duration<double>(last_answer_ - start_).count();
        fmt::print(
            "{{\"answers\": {}, \"errors\": {}, \"first_error\": \"{}\", \"unsent\": {}, \"seconds\": {:.3f}, "
            "\"per_second\": {:.1f}, \"p50_us\": {}, \"p99_us\": {}, \"max_us\": {}}}\n",
            answers_, errors_, first_error_, all_due_ - begun_, took,
            took > 0 ? static_cast<double>(answers_) / took : 0, latencies_.quantile(0.5), latencies_.quantile(0.99),
            latencies_.max());
    }

    bool all_well() const { return errors_ == 0 && answers_ > 0; }

  private:
    using state = connection::state;

    bool open_loop() const { return options_.rate > 0; }
    bool issuing() const
    {
        if (answers_ >= options_.most_answers || errors_ >= most_errors) return false;
        if (!open_loop()) return steady::now() < end_;
        return begun_ < all_due_ && steady::now() < end_ + patience;
    }

    static bool under_way(const connection& c) { return c.now != state::closed && c.now != state::idle; }

    bool work_left() const
    {
        if (issuing()) return true;
        if (errors_ >= most_errors || steady::now() > end_ + 2 * patience) return false;
        return std::ranges::any_of(connections_, under_way);
    }

    steady::time_point due(std::uint64_t request) const
    {
        return start_ + std::chrono::duration_cast<steady::duration>(
                            std::chrono::duration<double>(static_cast<double>(request) / options_.rate));
    }

    void begin_what_is_due()
    {
        while (!idle_.empty() && issuing() && due(begun_) <= steady::now()) {
            connection& c = *idle_.back();
            idle_.pop_back();
            begin(c, due(begun_++));
        }
    }

    // On a core of its own the open loop polls: sleeping would add the wake-up time to each latency.
    timespec longest_wait() const
    {
        if (!open_loop()) return {.tv_sec = 0, .tv_nsec = 50'000'000};
        if (!options_.shares_its_core) return {.tv_sec = 0, .tv_nsec = 0};
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(due(begun_) - steady::now()).count();
        return {.tv_sec = 0, .tv_nsec = std::clamp<long>(left, 0, 50'000'000)};
    }

    void wait()
    {
        std::array<epoll_event, 256> events;
        const timespec longest = longest_wait();
        int ready = epoll_pwait2(poll_, events.data(), static_cast<int>(events.size()), &longest, nullptr);
        for (int i = 0; i < ready; ++i) {
            auto& c = *static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (c.now == state::connecting)
                connected(c);
            else
                receive(c);
        }
    }

    void begin(connection& c, steady::time_point since)
    {
        c.since = since;
        if (c.now == state::closed)
            open(c);
        else
            send_request(c);
    }

    void open(connection& c)
    {
        c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        c.now = state::connecting;
        c.made = 0;
        int on = 1;
        setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(options_.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (connect(c.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 && errno != EINPROGRESS)
            return fail(c, std::strerror(errno));
        epoll_event event{.events = EPOLLOUT, .data = {.ptr = &c}};
        epoll_ctl(poll_, EPOLL_CTL_ADD, c.fd, &event);
    }

    void connected(connection& c)
    {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return fail(c, std::strerror(error));
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &c}};
        epoll_ctl(poll_, EPOLL_CTL_MOD, c.fd, &event);
        send_request(c);
    }

    // The requests that are sent in one write.
    std::string_view text_for(connection& c)
    {
        if (options_.range_of == 0 && !options_.is_distinct && !c.last) return requests_;
        made_up_.clear();
        for (unsigned i = 1; i <= options_.pipeline; ++i) {
            add_head();
            if (options_.range_of != 0) add_range(c);
            made_up_ += c.last && i == options_.pipeline ? "Connection: close\r\n\r\n" : "\r\n";
        }
        return made_up_;
    }

    void add_head()
    {
        const std::size_t path_ends = head_.find(' ', 4);  // behind "GET "
        made_up_.append(head_, 0, path_ends);
        if (options_.is_distinct) fmt::format_to(std::back_inserter(made_up_), "-{}", ++names_);
        made_up_.append(head_, path_ends);
    }

    void add_range(connection& c)
    {
        if (c.range_at + *options_.length > options_.range_of) c.range_at = 0;
        fmt::format_to(std::back_inserter(made_up_), "Range: bytes={}-{}\r\n", c.range_at,
                       c.range_at + *options_.length - 1);
        c.range_at += *options_.length;
    }

    void send_request(connection& c)
    {
        c.made += options_.pipeline;
        c.awaited = options_.pipeline;
        c.now = state::in_head;
        c.last = c.made == options_.requests_per_connection;
        const std::string_view text = text_for(c);
        ssize_t n = send(c.fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (n != static_cast<ssize_t>(text.size())) fail(c, "a request could not be sent");
    }

    void receive(connection& c)
    {
        for (;;) {
            // MSG_TRUNC: TCP discards the bytes without copying; a body is counted, not inspected.
            bool body = c.now == state::in_body;
            std::size_t wanted = body ? c.body_left : buffer_.size();
            ssize_t n = recv(c.fd, buffer_.data(), wanted, body ? MSG_TRUNC : 0);
            if (n < 0 && errno == EAGAIN) return;
            if (n < 0) return fail(c, std::strerror(errno));
            if (n == 0) return ended(c);
            auto count = static_cast<std::size_t>(n);
            if (body)
                take_body(c, count);
            else if (c.now == state::in_head)
                take({buffer_.data(), count}, c);
            else
                return fail(c, "bytes beyond the answer");
            if (c.now != state::in_body || count < wanted) return;  // level-triggered: the rest is reported again
        }
    }

    // Handles bytes that begin with a head, or with the rest of one.
    void take(std::string_view data, connection& c)
    {
        static constexpr std::string_view end_of_head = "\r\n\r\n";
        while (!data.empty() && c.now == state::in_head) {
            const std::size_t known = c.head.size();
            if (known > 0) c.head += data;
            const std::string_view text = known > 0 ? c.head : data;
            const std::size_t end = text.find(end_of_head);
            if (end == std::string_view::npos) {
                if (known == 0) c.head = data;
                if (c.head.size() > buffer_.size()) fail(c, "an endless head");
                return;
            }
            data.remove_prefix(end + end_of_head.size() - known);
            if (!take_head(c, text.substr(0, end + 2))) return;
            const std::size_t body = std::min(c.body_left, data.size());
            data.remove_prefix(body);
            c.head.clear();
            c.now = state::in_body;
            take_body(c, body);
        }
        if (!data.empty()) fail(c, "bytes beyond the answer");
    }

    // Whether this is the expected head.
    bool take_head(connection& c, std::string_view head)
    {
        const auto wrong = [&](std::string_view why) {
            fail(c, why);
            return false;
        };
        if (!head.starts_with(status_line_)) return wrong(fmt::format("answered {}", head.substr(0, 12)));
        std::string_view announced = field(head, "Content-Length").value_or("");
        std::from_chars(announced.data(), announced.data() + announced.size(), c.body_left);
        if (announced.empty() || (options_.length && c.body_left != *options_.length))
            return wrong(fmt::format("Content-Length {}, not {}", announced, options_.length.value_or(0)));
        if (field(head, "Connection") == "close") c.last = true;
        return true;
    }

    void take_body(connection& c, std::size_t count)
    {
        c.body_left -= count;
        if (c.body_left == 0) answered(c);
    }

    void answered(connection& c)
    {
        last_answer_ = steady::now();
        latencies_.add(last_answer_ - c.since);
        ++answers_;
        if (--c.awaited > 0)
            c.now = state::in_head;
        else if (c.last)
            c.now = state::ending;
        else
            next(c, state::idle);
    }

    void ended(connection& c)
    {
        if (c.now != state::ending && c.now != state::idle) return fail(c, "the connection ended early");
        bool was_idle = c.now == state::idle;
        shut(c);
        if (!was_idle) next(c, state::closed);  // an idle one stays in idle_, closed
    }

    void fail(connection& c, std::string_view why)
    {
        if (errors_++ == 0) first_error_ = why;
        bool was_idle = c.now == state::idle;
        shut(c);
        if (!was_idle) next(c, state::closed);
    }

    void next(connection& c, state now)
    {
        c.now = now;
        if (open_loop())
            idle_.push_back(&c);
        else if (issuing())
            begin(c, steady::now());
    }

    static void shut(connection& c)
    {
        close(c.fd);
        c.fd = -1;
        c.head.clear();
        c.now = state::closed;
    }

    options options_;
    int poll_;
    std::string head_;         // of a request, without its end
    std::string status_line_;  // the expected beginning of each answer
    std::string requests_;     // the usual requests
    std::uint64_t names_ = 0;  // distinct paths requested so far, with is_distinct
    std::string made_up_;      // the others
    std::vector<connection> connections_;
    std::vector<connection*> idle_;  // open loop: connections without a request in progress
    std::vector<char> buffer_;
    steady::time_point start_;
    steady::time_point end_;
    steady::time_point last_answer_;
    histogram latencies_;
    std::uint64_t all_due_;    // open loop: number of requests that fall due
    std::uint64_t begun_ = 0;  // open loop: number of those that found a free connection
    std::uint64_t answers_ = 0;
    std::uint64_t errors_ = 0;
    std::string first_error_;
};

}  // namespace

int main(int argc, char** argv)
{
    options o;
    CLI::App app{"Loads a web server on 127.0.0.1 and checks its answers."};
    app.add_option("--port", o.port)->required();
    app.add_option("--path", o.path);
    auto* const length = app.add_option("--length", o.length, "bytes of the body that must come; else any");
    app.add_option("--status", o.status, "of each answer");
    app.add_option("--range-of", o.range_of, "ask for ranges of a file of so many bytes")->needs(length);
    app.add_flag("--distinct", o.is_distinct, "add a number to the path, another one for each request");
    app.add_option("--connections", o.connections)->check(CLI::Range(1, 100'000));
    app.add_option("--requests-per-connection", o.requests_per_connection, "0: as many as the time allows");
    app.add_option("--pipeline", o.pipeline, "requests sent in one piece")->check(CLI::Range(1, 1000));
    app.add_option("--seconds", o.seconds)->check(CLI::Range(0.01, 3600.0));
    app.add_option("--rate", o.rate, "requests a second (open loop); 0: closed loop");
    app.add_flag("--shares-its-core", o.shares_its_core, "sleep until a request is due, not poll");
    app.add_option("--most-answers", o.most_answers, "stop after so many");
    CLI11_PARSE(app, argc, argv);

    generator g(o);
    g.run();
    g.report();
    return g.all_well() ? 0 : 1;
}
