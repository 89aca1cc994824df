// SPDX-License-Identifier: MIT
#include "server/messages/runner_line.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <span>
#include <utility>

#include <fmt/core.h>

#include "csp/core.hpp"
#include "csp/timer.hpp"
#include "io/packet.hpp"
#include "io/socket.hpp"

namespace server {
namespace {

using kind = start_failure::kind;

std::unexpected<start_failure> fail(kind what, std::string text)
{
    return std::unexpected(start_failure{.what = what, .text = std::move(text)});
}

std::unexpected<start_failure> fail(const io::error& why)
{
    if (why.closed())
        return fail(kind::unavailable,
                    "the runner has ended (a reload starts another one), or has no file descriptor left");
    if (why.timed_out()) return fail(kind::unavailable, "the runner did not start the program in time");
    return fail(kind::unavailable, fmt::format("cannot ask the runner: {}", why.text));
}

/// Waits while the runner's queue is full.
csp::step<io::result<void>> send(int line, std::span<const std::byte> packet, std::span<const int> passed,
                                 io::deadline until)
{
    constexpr std::chrono::milliseconds pause{2};
    for (;;) {
        const auto sent = io::send_packet(line, packet, passed);
        if (sent || sent.error().number != EAGAIN) co_return sent;
        if (csp::core::here().now() >= until) co_return std::unexpected(io::error::of(io::error::past_deadline));
        co_await csp::sleep(pause);
    }
}

struct answered {
    io::socket line;
    std::int32_t pid = 0;
    io::descriptor passed;
};

csp::step<std::expected<answered, start_failure>> ask(int runner, const runner_order& order, std::vector<int> streams,
                                                      io::deadline until)
{
    const std::vector<std::byte> packet = packet_of(order);
    if (packet.empty()) co_return fail(kind::other, "the environment or the path of the program is too long");
    auto ends = io::packet_pair();
    if (!ends) co_return fail(ends.error());
    streams.insert(streams.begin(), ends->second.number());
    if (auto sent = co_await send(runner, packet, streams, until); !sent) co_return fail(sent.error());
    ends->second = {};  // if the runner drops the request, the line closes
    io::socket line(std::move(ends->first));
    std::array<std::byte, sizeof(runner_answer)> bytes{};
    auto got = co_await io::receive_packet(line, bytes, until);
    if (!got) co_return fail(got.error());
    auto reply = parse_runner_answer(std::span(bytes).first(got->bytes));
    if (!reply) co_return fail(io::error::of(io::error::was_closed));
    if (reply->what == runner_answer::kind::failed) co_return std::unexpected(std::move(reply->failure));
    co_return answered{.line = std::move(line), .pid = reply->pid, .passed = std::move(got->passed)};
}

}  // namespace

csp::step<std::expected<io::child, start_failure>> start_program(const io::descriptor& runner, program_order order,
                                                                 io::deadline until)
{
    std::vector<int> streams{order.out.number(), order.err.number()};
    if (order.in) streams.push_back(order.in.number());
    const runner_order request{.what = runner_request::kind::start,
                               .site = order.site,
                               .route = order.route,
                               .has_input = static_cast<bool>(order.in),
                               .script = std::move(order.script),
                               .environment = std::move(order.environment)};
    auto started = co_await ask(runner.number(), request, std::move(streams), until);
    if (!started) co_return std::unexpected(std::move(started.error()));
    co_return io::child_of_keeper(started->pid, std::move(started->line));
}

csp::step<std::expected<io::file, std::string>> open_spool(const io::descriptor& runner, io::deadline until)
{
    const runner_order request{.what = runner_request::kind::open_spool, .script = {}, .environment = {}};
    auto opened = co_await ask(runner.number(), request, {}, until);
    if (!opened) co_return std::unexpected(std::move(opened.error().text));
    if (!opened->passed) co_return std::unexpected(std::string(io::error::of(EMFILE).text));
    co_return io::file(std::move(opened->passed));
}

}  // namespace server
