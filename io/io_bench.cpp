// SPDX-License-Identifier: MIT
//
// Measures the cost of the calls: one process parks every connection in a select set and answers each request with a
// fixed response, as bench/floor does without processes. Run both under bench/load and compare the processor time per
// response; the difference is the cost of this library.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "csp/kernel.hpp"
#include "io/acceptor.hpp"
#include "io/select_read.hpp"
#include "io/signals.hpp"

namespace {

struct options {
    std::uint16_t port = 8080;
    std::size_t size = 8192;
    std::string io = "uring";
};

/// The connections by token; a token is an index that is reused.
class car_park {
  public:
    std::uint64_t take_in(io::socket s)
    {
        if (free_.empty()) {
            places_.push_back(std::move(s));
            return places_.size() - 1;
        }
        const std::uint64_t place = free_.back();
        free_.pop_back();
        places_[place] = std::move(s);
        return place;
    }
    [[nodiscard]] io::socket& at(std::uint64_t place) { return places_[place]; }
    void let_go(std::uint64_t place)
    {
        const io::socket gone = std::move(places_[place]);
        free_.push_back(place);
    }

  private:
    std::vector<io::socket> places_;
    std::vector<std::uint64_t> free_;
};

csp::process server(options o)
{
    using namespace std::chrono_literals;
    auto listening = io::listen(io::address::loopback(o.port));
    if (!listening) {
        fmt::print(stderr, "cannot listen: {}\n", listening.error().text);
        co_return;
    }
    io::acceptor connections(std::move(*listening));
    io::signal_set stop = *io::signal_set::open({SIGTERM, SIGINT});
    io::select_read idle;
    car_park parked;
    const std::string head =
        fmt::format("HTTP/1.1 200 OK\r\nServer: io\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n", o.size);
    const std::string body(o.size, 'x');
    const auto patience = 30s;
    std::uint64_t answers = 0;
    for (;;) {
        const auto chosen = co_await csp::pri_alt(stop, idle, connections);
        if (chosen == stop) break;
        if (chosen == connections) {
            auto came = co_await connections.next();
            if (!came) continue;
            const std::uint64_t place = parked.take_in(std::move(*came));
            idle.add(place, parked.at(place), csp::core::here().now() + patience);
            continue;
        }
        const auto event = co_await idle.next();
        if (event.what != io::select_event::outcome::arrived) {
            parked.let_go(event.token);
            continue;
        }
        io::socket& s = parked.at(event.token);
        const auto sent = co_await io::send_all(s, {head, body}, csp::core::here().now() + patience);
        ++answers;
        if (!sent || event.bytes.text().find("onnection: close") != std::string_view::npos) {
            parked.let_go(event.token);
        } else {
            idle.add(event.token, s, csp::core::here().now() + patience);
        }
    }
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto microseconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
    };
    const double all = microseconds(used.ru_utime) + microseconds(used.ru_stime);
    fmt::print("{}: {} answers, {:.3f} us each ({:.3f} user)\n", o.io, answers, all / static_cast<double>(answers),
               microseconds(used.ru_utime) / static_cast<double>(answers));
}

}  // namespace

int main(int argc, char** argv)
{
    options o;
    CLI::App app("answers every request with the same bytes, through io");
    app.add_option("--port", o.port, "on 127.0.0.1");
    app.add_option("--size", o.size, "bytes of the body");
    app.add_option("--io", o.io)->check(CLI::IsMember({"epoll", "uring", "automatic"}));
    CLI11_PARSE(app, argc, argv);
    const auto choice = o.io == "epoll"   ? io::engine_choice::epoll
                        : o.io == "uring" ? io::engine_choice::uring
                                          : io::engine_choice::automatic;
    const auto probed = io::probe(choice);
    if (!probed) {
        fmt::print(stderr, "{}\n", probed.error());
        return 1;
    }
    fmt::print(stderr, "{}\n", probed->why);
    io::block_signals({SIGTERM, SIGINT});
    csp::kernel k({}, io::engines(choice));
    return k.run(server(std::move(o))) == csp::outcome::finished ? 0 : 1;
}
