// SPDX-License-Identifier: MIT
#include "server/testing/trials.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include <liburing.h>

#include "csp/par.hpp"
#include "io/acceptor.hpp"
#include "io/address.hpp"
#include "io/packet.hpp"
#include "io/ring.hpp"
#include "server/network.hpp"

namespace server::test {
namespace {

/// The result of a call: "done", or the text of its errno.
std::string told(long result) { return result < 0 ? std::strerror(errno) : "done"; }

std::string told(const io::result<void>& sent) { return sent ? "done" : std::string(sent.error().text); }

sockaddr_in loopback(const std::string& port)
{
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
    return to;
}

std::string run_program(const std::string& path)
{
    std::array<char*, 2> words{const_cast<char*>(path.c_str()), nullptr};
    return told(::execve(path.c_str(), words.data(), environ));
}
std::string fork_process(const std::string& /*unused*/)
{
    const long forked = ::syscall(SYS_fork);
    if (forked == 0) ::_exit(0);
    return told(forked);
}
std::string connect_to(const std::string& port)
{
    const io::descriptor s(::socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in to = loopback(port);
    return told(::connect(s.number(), reinterpret_cast<const sockaddr*>(&to), sizeof to));
}
std::string connect_to_unix(const std::string& path)
{
    const io::descriptor s(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto to = io::address::parse("unix:" + path);
    return told(::connect(s.number(), to->data(), to->size()));
}
std::string open_to(const std::string& path, int how)
{
    const io::descriptor d(::open(path.c_str(), how | O_CLOEXEC, 0600));
    return d ? "done" : std::strerror(errno);
}
std::string make_ring(const std::string& /*unused*/)
{
    io_uring_params how{};
    return told(::syscall(SYS_io_uring_setup, 8, &how));
}

// ---- by the ring

/// The second ring of the first core, for as long as the program runs.
io_uring& ring()
{
    static io_uring the_ring{};
    return the_ring;
}

std::string by_ring(const std::function<void(io_uring_sqe&)>& prepare)
{
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring());
    if (sqe == nullptr) return "no ring";
    prepare(*sqe);
    io_uring_cqe* done = nullptr;
    if (const int waited = io_uring_submit_and_wait(&ring(), 1); waited < 0) return std::strerror(-waited);
    if (io_uring_peek_cqe(&ring(), &done) < 0) return "no completion";
    const int result = done->res;
    io_uring_cqe_seen(&ring(), done);
    if (result >= 0) return "done";
    return std::strerror(-result);
}

std::string open_by_ring(const std::string& path, int flags)
{
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    if ((flags & O_CREAT) != 0) how.mode = 0600;
    return by_ring([&](io_uring_sqe& sqe) { io_uring_prep_openat2(&sqe, AT_FDCWD, path.c_str(), &how); });
}
std::string connect_by_ring(const std::string& port)
{
    const io::descriptor s(::socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in to = loopback(port);
    return by_ring([&](io_uring_sqe& sqe) {
        io_uring_prep_connect(&sqe, s.number(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    });
}
std::string unlink_by_ring(const std::string& path)
{
    return by_ring([&](io_uring_sqe& sqe) { io_uring_prep_unlink(&sqe, path.c_str(), 0); });
}

using trial = std::function<std::string(const std::string&)>;

const std::map<std::string, trial, std::less<>>& trials_by_call()
{
    static const std::map<std::string, trial, std::less<>> all{
        {"execve", run_program},
        {"fork", fork_process},
        {"connect", connect_to},
        {"connect-unix", connect_to_unix},
        {"read", [](const std::string& path) { return open_to(path, O_RDONLY); }},
        {"write", [](const std::string& path) { return open_to(path, O_WRONLY | O_CREAT); }},
        {"ptrace",
         [](const std::string& pid) { return told(::ptrace(PTRACE_ATTACH, std::stoi(pid), nullptr, nullptr)); }},
        {"unlink", [](const std::string& path) { return told(::unlink(path.c_str())); }},
        {"ring", make_ring},
        {"ring-connect", connect_by_ring},
        {"ring-read", [](const std::string& path) { return open_by_ring(path, O_RDONLY); }},
        {"ring-write", [](const std::string& path) { return open_by_ring(path, O_WRONLY | O_CREAT); }},
        {"ring-unlink", unlink_by_ring},
    };
    return all;
}

/// Asks the steward for what an attacker in the server might ask it.
csp::step<std::string> ask_steward(std::string what, std::string argument, const steward_line& steward)
{
    if (what == "steward-log") {
        auto log = co_await steward.open_log(argument);
        co_return log ? "done" : log.error();
    }
    if (what == "steward-listen") {
        auto l = steward.listen(argument);
        co_return l ? "done" : l.error();
    }
    if (what == "steward-run") {
        auto reports = io::socket_pair();
        auto started = co_await steward.start_successor(argument, {}, std::move(reports->second).release());
        co_return started ? "done" : started.error();
    }
    // The steward and its jobs are given the server's ends of their lines, so that these do not end with the server.
    if (what == "steward-keeps-line") {
        const auto request = steward_request::make(errand::upgrade, "/bin/true");
        co_return told(io::send_packet(steward.end().number(), io::bytes_of(*request), steward.end().number()));
    }
    if (what == "steward-keeps-job") {
        const auto request = steward_request::make(errand::upgrade, "/bin/true");
        const auto ends = io::packet_pair();
        const steward_inheritance one{.what = steward_inheritance::kind::socket};
        io::post_packet(steward.end().number(), io::bytes_of(*request), ends->second.number());
        co_return told(io::send_packet(ends->first.number(), io::bytes_of(one), ends->first.number()));
    }
    co_return "no such trial";
}

csp::step<std::string> perform(std::string_view line, const steward_line& steward)
{
    const std::string what(line.substr(0, line.find(' ')));
    const std::string argument(line.substr(std::min(line.size(), what.size() + 1)));
    const auto found = trials_by_call().find(what);
    if (found != trials_by_call().end()) co_return found->second(argument);
    co_return co_await ask_steward(what, argument, steward);
}

/// Answers one client after the other, until the last line "end".
csp::process trials(std::string path, steward_line steward)
{
    auto listening = io::listen(*io::address::parse("unix:" + path));
    if (!listening) throw std::runtime_error("no socket for the trials");
    io::acceptor clients(std::move(*listening));
    for (bool is_over = false; !is_over;) {
        auto client = co_await clients.next();
        if (!client) continue;
        std::string line(4096, '\0');
        const auto got = co_await io::recv(*client, line, io::no_deadline);
        line.resize(got ? *got : 0);
        if (line.ends_with('\n')) line.pop_back();
        is_over = line == "end";
        const std::string answer = is_over ? "over" : co_await perform(line, steward);
        (void)co_await io::send_all(*client, answer, io::no_deadline);
    }
    clients.finish(io::acceptor::last_clients::left);
    ::unlink(path.c_str());
}

}  // namespace

csp::process server_with_trials(settings s, opened o)
{
    const char* const path = std::getenv("OCCWSERV_TRIALS");
    steward_line steward = o.steward.line.another();
    co_await csp::par(trials(path == nullptr ? "" : path, std::move(steward)), web_server(std::move(s), std::move(o)));
}

csp::kernel::neighbour_maker engines_with_trials(io::engine_choice choice)
{
    return [choice, make = io::engines(choice)](csp::core& home) {
        const bool is_first_core = ::gettid() == ::getpid();
        if (choice == io::engine_choice::uring && is_first_core) {
            if (io::detail::make_ring(ring()) == 0) (void)io::detail::restrict_ring(ring());
        }
        return make(home);
    };
}

}  // namespace server::test
