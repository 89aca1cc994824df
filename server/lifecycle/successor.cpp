// SPDX-License-Identifier: MIT
#include "server/lifecycle/successor.hpp"

#include <chrono>
#include <csignal>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/core.hpp"
#include "io/select_read.hpp"
#include "server/messages/stop.hpp"

namespace server {
namespace {

using namespace std::string_view_literals;

constexpr std::chrono::seconds time_to_start{30};
constexpr std::chrono::seconds time_on_trial{1};
constexpr std::chrono::seconds time_to_take{5};
constexpr std::chrono::seconds time_to_die{5};  // after SIGKILL

using sentence = std::string;

/// A sentence about how the new server ended. REQUIRES: it has ended, or has closed its connection.
csp::step<sentence> how_it_ended(successor& s, std::string_view when)
{
    const auto how = co_await s.process.exited(csp::core::here().now() + time_to_take);
    co_return fmt::format("the new server {} {}",
                          how ? how->text() : "closed its connection to this server and does not exit", when);
}

enum class read_result : std::uint8_t { line, closed, timed_out, cancelled };

/// Waits for the next line of the new server, until `until` or until it closes its side.
csp::step<read_result> read_line(successor& s, csp::in<stop>& cancelled, io::deadline until, std::string& line)
{
    constexpr std::size_t longest = 8192;
    io::select_read incoming;
    for (;;) {
        if (const auto end = s.received.find('\n'); end != std::string::npos || s.received.size() > longest) {
            line = s.received.substr(0, end);
            s.received.erase(0, line.size() + 1);
            co_return read_result::line;
        }
        incoming.add(0, s.line, until);
        if (co_await csp::pri_alt(cancelled, incoming) == cancelled) co_return read_result::cancelled;
        const io::select_event e = co_await incoming.next();
        if (e.what == io::select_event::outcome::expired) co_return read_result::timed_out;
        if (e.what == io::select_event::outcome::closed) co_return read_result::closed;
        s.received += e.bytes.text();
    }
}

constexpr const char* was_cancelled = "cancelled: this server is stopping";

/// Waits for `time_on_trial`, in which the new server must not end.
csp::step<std::expected<void, sentence>> stays_alive(successor& s, csp::in<stop>& cancelled)
{
    const csp::timeout trial = csp::after(time_on_trial);
    const auto chosen = co_await csp::pri_alt(cancelled, s.process, trial);
    if (chosen == cancelled) co_return std::unexpected(was_cancelled);
    if (chosen == s.process) co_return std::unexpected(co_await how_it_ended(s, "just after it had begun to serve"));
    co_return std::expected<void, sentence>();
}

}  // namespace

csp::step<std::expected<successor, sentence>> start_successor(const steward_line& steward, std::string program,
                                                              std::vector<listening> sockets)
{
    auto ends = io::socket_pair();
    if (!ends) co_return std::unexpected(fmt::format("cannot create a socket pair: {}", ends.error().text));
    auto started =
        co_await steward.start_successor(std::move(program), std::move(sockets), std::move(ends->second).release());
    if (!started) co_return std::unexpected(std::move(started.error()));
    co_return successor{std::move(*started), std::move(ends->first)};
}

csp::step<std::expected<void, sentence>> try_successor(successor& s, csp::in<stop>& cancelled)
{
    std::string line;
    switch (co_await read_line(s, cancelled, csp::core::here().now() + time_to_start, line)) {
        case read_result::cancelled:
            co_return std::unexpected(was_cancelled);
        case read_result::timed_out:
            co_return std::unexpected(
                fmt::format("the new server did not serve within {} seconds", time_to_start.count()));
        case read_result::closed:
            co_return std::unexpected(co_await how_it_ended(s, "before it served, and did not say why"));
        case read_result::line:
            break;
    }
    if (line != "ready") co_return std::unexpected(line);  // the reason
    co_return co_await stays_alive(s, cancelled);
}

csp::step<std::expected<void, sentence>> give_place(successor& s, csp::in<stop>& cancelled)
{
    std::string line;
    const auto until = csp::core::here().now() + time_to_take;
    (void)co_await io::send_all(s.line, "take\n"sv, until);  // an error means that it has ended, which read_line() sees
    switch (co_await read_line(s, cancelled, until, line)) {
        case read_result::cancelled:
            co_return std::unexpected(was_cancelled);
        case read_result::timed_out:
            co_return std::unexpected("the new server did not take over the control socket");
        case read_result::closed:
            // Either it is an earlier version, which closes its connection when it is ready, or it is exiting: the
            // kernel closes the descriptors of a process before waitid(2) reports its exit.
            co_return co_await stays_alive(s, cancelled);
        case read_result::line:
            break;
    }
    if (line != "here") co_return std::unexpected(line);  // the reason why it cannot take it
    if (co_await csp::pri_alt(s.process, csp::skip) != s.process) co_return std::expected<void, sentence>();
    co_return std::unexpected(co_await how_it_ended(s, "just after it had begun to serve"));
}

csp::step<void> end_successor(successor& s, std::chrono::milliseconds patience)
{
    if (patience.count() > 0 && s.process.kill(SIGTERM)) {
        if (co_await s.process.exited(csp::core::here().now() + patience)) co_return;
    }
    if (!s.process.kill(SIGKILL)) co_return;
    (void)co_await s.process.exited(csp::core::here().now() + time_to_die);
}

}  // namespace server
