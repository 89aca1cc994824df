// SPDX-License-Identifier: MIT
#include "server/control/successor.hpp"

#include <array>
#include <chrono>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "csp/core.hpp"
#include "io/child.hpp"

namespace server {
namespace {

constexpr std::chrono::seconds time_to_start{30};

io::descriptor another(int fd) { return io::descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

/// The first line that comes from the pipe; empty when the writer has gone without one.
csp::step<io::result<std::string>> first_line(io::socket& from, io::deadline until)
{
    std::string text;
    std::array<char, 1024> room;
    for (;;) {
        const auto got = co_await io::recv(from, room, until);
        if (!got) co_return std::unexpected(got.error());
        text.append(room.data(), *got);
        const auto end = text.find('\n');
        if (*got == 0 || end != std::string::npos || text.size() > 8 * room.size()) co_return text.substr(0, end);
    }
}

std::string ending_of(const io::exit_status& how)
{
    if (how.signal != 0) return fmt::format("it was ended by signal {}", how.signal);
    return fmt::format("it ended with code {} and did not say why", how.code);
}

}  // namespace

own_command how_we_were_started(int count, const char* const* words, who_chooses_addresses addresses)
{
    own_command c;
    std::array<char, 4096> path;
    const auto size = ::readlink("/proc/self/exe", path.data(), path.size());
    c.program = size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : words[0];
    c.arguments.assign(words, words + count);
    c.addresses = addresses;
    return c;
}

csp::step<std::expected<pid_t, std::string>> start_successor(own_command command, std::vector<listening> sockets)
{
    auto report = io::pipe_from_child();
    if (!report) co_return std::unexpected(fmt::format("no pipe can be made: {}", report.error().text));
    io::command what{.program = command.program,
                     .arguments = std::move(command.arguments),
                     .environment = environment_for_heir(sockets, command.addresses),
                     .descriptors = {},
                     .directory = {},
                     .process_group = io::command::group::ours};
    for (const int standard : {0, 1, 2}) {
        if (io::descriptor d = another(standard)) what.descriptors.emplace_back(std::move(d), standard);
    }
    int number = first_inherited;
    for (listening& l : sockets) what.descriptors.emplace_back(std::move(l.socket).release(), number++);
    what.descriptors.emplace_back(std::move(report->childs), number);

    auto started = co_await io::spawn(std::move(what));
    if (!started) co_return std::unexpected(fmt::format("{} cannot be run: {}", command.program, started.error().text));
    const io::deadline until = csp::core::here().now() + time_to_start;
    const auto line = co_await first_line(report->ours, until);
    if (!line) {
        co_return std::unexpected(fmt::format("the new server did not serve within {} seconds", time_to_start.count()));
    }
    if (*line == "ready") {
        const pid_t pid = started->pid();
        std::move(*started).let_go();
        co_return pid;
    }
    if (!line->empty()) co_return std::unexpected(*line);
    const auto how = co_await started->exited(until);
    co_return std::unexpected(
        fmt::format("the new server did not start: {}", how ? ending_of(*how) : "it says nothing and does not end"));
}

}  // namespace server
