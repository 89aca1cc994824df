// SPDX-License-Identifier: MIT
#include "server/messages/steward_line.hpp"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <utility>

#include <fmt/core.h>

#include "csp/core.hpp"
#include "csp/timer.hpp"
#include "io/packet.hpp"

namespace server {
namespace {

constexpr const char* no_steward = "the steward has ended: restart the server";

std::string no_descriptor(const io::error& why) { return fmt::format("cannot ask the steward: {}", why.text); }

std::string text_of(const io::error& why)
{
    return why.closed() ? no_steward : fmt::format("cannot ask the steward: {}", why.text);
}

/// The answer in `got`, or why there is none.
std::expected<io::packet, std::string> judge(io::result<io::packet> got, const steward_answer& answer)
{
    if (!got) return std::unexpected(text_of(got.error()));
    if (got->bytes != sizeof answer) return std::unexpected(no_steward);
    if (answer.what == steward_answer::kind::failed) return std::unexpected(std::string(answer.why()));
    return std::move(*got);
}

/// A descriptor is lost on its way if this process can have no more.
std::expected<io::descriptor, std::string> descriptor_in(io::packet answer)
{
    if (!answer.passed) return std::unexpected(no_descriptor(io::error::of(EMFILE)));
    return std::move(answer.passed);
}

/// Sends one socket for the successor to inherit. The successor's job in the steward reads them one by one.
csp::step<io::result<void>> send_inherited(const io::socket& line, const steward_inheritance& what, int descriptor,
                                           io::deadline until)
{
    constexpr std::chrono::milliseconds pause{5};
    for (;;) {
        const auto sent = io::send_packet(line.number(), io::bytes_of(what), descriptor);
        if (sent || sent.error().number != EAGAIN || csp::core::here().now() >= until) co_return sent;
        co_await csp::sleep(pause);
    }
}

csp::step<io::result<void>> send_all(const io::socket& line, const std::vector<listening>& sockets,
                                     const io::descriptor& reports, io::deadline until)
{
    using kind = steward_inheritance::kind;
    for (const listening& l : sockets) {
        const steward_inheritance one{.what = kind::socket, .device = l.file.device, .inode = l.file.inode};
        if (auto sent = co_await send_inherited(line, one, l.socket.number(), until); !sent) co_return sent;
    }
    co_return co_await send_inherited(line, {.what = kind::run}, reports.number(), until);
}

}  // namespace

steward_line steward_line::another() const
{
    return steward_line(io::descriptor(::fcntl(to_steward_.number(), F_DUPFD_CLOEXEC, 0)));
}

std::expected<io::descriptor, std::string> steward_line::send(errand what, std::string_view text,
                                                              io::socket_identity file) const
{
    const auto request = steward_request::make(what, text, file);
    if (!request) return std::unexpected(fmt::format("`{}` is too long for a path", text));
    auto ends = io::packet_pair();
    if (!ends) return std::unexpected(no_descriptor(ends.error()));
    const auto sent = io::send_packet(to_steward_.number(), io::bytes_of(*request), ends->second.number());
    if (!sent) return std::unexpected(text_of(sent.error()));
    return std::move(ends->first);
}

csp::step<std::expected<io::packet, std::string>> steward_line::ask(errand what, std::string text) const
{
    auto line = send(what, text);
    if (!line) co_return std::unexpected(std::move(line.error()));
    io::socket answers(std::move(*line));
    steward_answer answer;
    auto got = co_await io::receive_packet(answers, io::room_of(answer), io::no_deadline);
    co_return judge(std::move(got), answer);
}

csp::step<std::expected<void, std::string>> steward_line::check_log(std::string path) const
{
    auto done = co_await ask(errand::check_log, std::move(path));
    if (!done) co_return std::unexpected(std::move(done.error()));
    co_return std::expected<void, std::string>();
}

csp::step<std::expected<io::file, std::string>> steward_line::open_log(std::string path) const
{
    auto done = co_await ask(errand::open_log, std::move(path));
    if (!done) co_return std::unexpected(std::move(done.error()));
    auto file = descriptor_in(std::move(*done));
    if (!file) co_return std::unexpected(std::move(file.error()));
    co_return io::file(std::move(*file));
}

csp::step<io::result<io::socket>> steward_line::connect_log(std::string log) const
{
    auto line = send(errand::connect_log, log);
    if (!line) co_return std::unexpected(io::error::of(ECONNREFUSED));
    io::socket answers(std::move(*line));
    steward_answer answer;
    auto got = co_await io::receive_packet(answers, io::room_of(answer), io::no_deadline);
    if (!got) co_return std::unexpected(got.error());
    if (!got->passed) co_return std::unexpected(io::error::of(answer.error != 0 ? answer.error : ECONNREFUSED));
    co_return io::socket(std::move(got->passed));
}

csp::step<std::expected<io::child, std::string>> steward_line::start_successor(std::string program,
                                                                               std::vector<listening> sockets,
                                                                               io::descriptor reports) const
{
    auto line = send(errand::upgrade, program);
    if (!line) co_return std::unexpected(std::move(line.error()));
    io::socket answers(std::move(*line));
    // If the steward refuses, it closes its end before it has read all; its answer says why.
    const auto until = csp::core::here().now() + patience_with_file_system;
    (void)co_await send_all(answers, sockets, reports, until);
    steward_answer answer;
    auto got = co_await io::receive_packet(answers, io::room_of(answer), until);
    if (!got && got.error().timed_out()) {
        co_return std::unexpected(
            fmt::format("{} was not started within {} s: its file system or the steward does not answer; try again",
                        program, patience_with_file_system.count()));
    }
    if (auto started = judge(std::move(got), answer); !started) co_return std::unexpected(std::move(started.error()));
    co_return io::child_of_keeper(answer.pid, std::move(answers));
}

namespace {

std::expected<io::descriptor, std::string> line_in(io::packet got, const steward_answer& answer, std::uint64_t digest)
{
    if (answer.digest != digest) return std::unexpected("the configuration file changed while it was read: try again");
    auto line = descriptor_in(std::move(got));
    if (!line) return std::unexpected(std::move(line.error()));
    return line;
}

std::string late_runner()
{
    return fmt::format(
        "no programs can be started: the file system of a directory of programs, or the steward, does not answer "
        "within {} s",
        patience_with_file_system.count());
}

/// Whether something arrives within the patience. Blocks the thread.
bool waits_for(const io::descriptor& line)
{
    pollfd answered{.fd = line.number(), .events = POLLIN, .revents = 0};
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(patience_with_file_system);
    int ready = -1;
    do ready = ::poll(&answered, 1, static_cast<int>(patience.count()));
    while (ready < 0 && errno == EINTR);
    return ready != 0;
}

}  // namespace

csp::step<std::expected<io::descriptor, std::string>> steward_line::start_runner(std::uint64_t digest) const
{
    auto line = send(errand::start_runner, "");
    if (!line) co_return std::unexpected(std::move(line.error()));
    io::socket answers(std::move(*line));
    steward_answer answer;
    auto got =
        co_await io::receive_packet(answers, io::room_of(answer), csp::core::here().now() + patience_with_file_system);
    if (!got && got.error().timed_out()) co_return std::unexpected(late_runner());
    auto started = judge(std::move(got), answer);
    if (!started) co_return std::unexpected(std::move(started.error()));
    co_return line_in(std::move(*started), answer, digest);
}

std::expected<io::descriptor, std::string> steward_line::start_first_runner(std::uint64_t digest) const
{
    auto line = send(errand::start_runner, "");
    if (!line) return std::unexpected(std::move(line.error()));
    if (!waits_for(*line)) return std::unexpected(late_runner());
    steward_answer answer;
    auto started = judge(io::receive_packet(line->number(), io::room_of(answer)), answer);
    if (!started) return std::unexpected(std::move(started.error()));
    return line_in(std::move(*started), answer, digest);
}

std::expected<io::listener, std::string> steward_line::listen(const std::string& address) const
{
    auto line = send(errand::listen, address);
    if (!line) return std::unexpected(std::move(line.error()));
    if (!waits_for(*line)) {
        return std::unexpected(fmt::format("cannot listen on {}: no answer from its file system within {} s", address,
                                           patience_with_file_system.count()));
    }
    steward_answer answer;
    auto done = judge(io::receive_packet(line->number(), io::room_of(answer)), answer);
    if (!done) return std::unexpected(std::move(done.error()));
    auto listener = descriptor_in(std::move(*done));
    if (!listener) return std::unexpected(std::move(listener.error()));
    return io::listener(std::move(*listener));
}

namespace {

/// Returns false if the queue is full.
bool post_removal(const io::descriptor& to_steward, const listening& l) noexcept
{
    const auto request = steward_request::make(errand::remove_socket, l.address, l.file);
    if (!request) return true;
    // The packet carries the socket, which stays open until the file is removed: afterwards the inode may be reused.
    const auto sent = io::send_packet(to_steward.number(), io::bytes_of(*request), l.socket.number());
    return sent || sent.error().number != EAGAIN;
}

}  // namespace

void steward_line::remove_file_of(const listening& l) const noexcept
{
    if (l.file) (void)post_removal(to_steward_, l);
}

void steward_line::remove_files_of(std::span<const listening> all) const noexcept
{
    using clock = std::chrono::steady_clock;
    const auto enough = clock::now() + std::chrono::seconds(1);
    for (auto l = all.begin(); l != all.end(); ++l) {
        // Each core has a duplicate of the socket.
        const bool was_before = std::any_of(all.begin(), l, [&](const listening& o) { return o.file == l->file; });
        if (!l->file || was_before) continue;
        while (!post_removal(to_steward_, *l) && clock::now() < enough) {
            constexpr int pause = 10;  // milliseconds
            pollfd room{.fd = to_steward_.number(), .events = POLLOUT, .revents = 0};
            (void)::poll(&room, 1, pause);
        }
    }
}

}  // namespace server
