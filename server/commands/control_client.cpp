// SPDX-License-Identifier: MIT
#include "server/commands/control_client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <filesystem>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "io/address.hpp"
#include "io/descriptor.hpp"
#include "server/service/control_socket.hpp"

namespace server {
namespace {

constexpr std::string_view usual_place = "/run/occwserv/control";

struct command_name {
    const char* name;
    const char* what;
};
constexpr std::array commands{
    command_name{"status", "print what a running server serves, and its state"},
    command_name{"ps", "print the processes of a running server and what each waits for"},
    command_name{"reload", "make a running server read its configuration again"},
    command_name{"upgrade", "replace a running server with a new binary, without refusing a connection"},
    command_name{"stop", "stop a running server after the requests under way, and wait for its end"},
};

using problem = std::string;

std::expected<io::descriptor, problem> connect_to(const std::string& path)
{
    const auto at = io::address::parse("unix:" + path);
    if (!at) return std::unexpected(fmt::format("the path {} is too long for a unix socket", path));
    io::descriptor s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(s.number(), at->data(), at->size()) == 0) return s;
    switch (errno) {
        case ENOENT:
            return std::unexpected(fmt::format(
                "there is no control socket at {}: start the server with --control {}, or give the path of its socket",
                path, path));
        case ECONNREFUSED:
            return std::unexpected(fmt::format("no server listens on {}: the server that created it has ended", path));
        case EACCES:
        case EPERM:
            return std::unexpected(fmt::format(
                "permission denied for {}: run this as root, or as the user that the server runs as", path));
        default:
            return std::unexpected(fmt::format("cannot connect to {}: {}", path, std::strerror(errno)));
    }
}

/// Sends one command and reads the whole reply: the server closes the connection after it.
std::expected<std::string, problem> ask(int server, const std::string& line)
{
    if (::send(server, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
        return std::unexpected("the server closed the connection before it read the command");
    }
    std::string all;
    std::array<char, 16'384> room;
    for (;;) {
        const auto got = ::recv(server, room.data(), room.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        all.append(room.data(), static_cast<std::size_t>(got));
    }
    if (!all.starts_with("ok\n") && !all.starts_with("error\n")) {
        return std::unexpected("the server ended before it answered");
    }
    return all;
}

void wait_for_end(pid_t process)
{
    const io::descriptor p(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
    if (!p) return;  // it has ended, or is in another PID namespace
    pollfd ended{p.number(), POLLIN, 0};
    while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
    }
}

std::expected<void, problem> carry_out(const std::string& command, const std::string& path, const std::string& binary)
{
    auto server = connect_to(path);
    if (!server) return std::unexpected(server.error());
    const auto who = peer_credentials(server->number());
    std::string line = command;
    if (!binary.empty()) line += " " + std::filesystem::absolute(binary).string();
    const auto said = ask(server->number(), line + "\n");
    if (!said) return std::unexpected(said.error());
    const std::string text = said->substr(said->find('\n') + 1);
    if (said->starts_with("error\n")) return std::unexpected(text.substr(0, text.find_last_not_of('\n') + 1));
    std::fputs(text.c_str(), stdout);
    if (command == "stop" && who && who->process > 0) wait_for_end(who->process);
    return {};
}

}  // namespace

void describe_control_commands(CLI::App& app, control_request& asked)
{
    for (const auto& [name, what] : commands) {
        CLI::App* const command = app.add_subcommand(name, what);
        command
            ->add_option("--control", asked.at, fmt::format("control socket of the server (default: {})", usual_place))
            ->type_name("FILE");
        if (name == std::string_view("upgrade")) {
            command
                ->add_option("--binary", asked.binary,
                             "program to start (default: the file that the server was started from)")
                ->type_name("FILE");
        }
    }
}

std::optional<int> run_control_command(const CLI::App& app, const control_request& asked)
{
    const auto parsed =
        std::ranges::find_if(commands, [&](const command_name& c) { return app.got_subcommand(c.name); });
    if (parsed == commands.end()) return std::nullopt;
    const auto done = carry_out(parsed->name, asked.at.empty() ? std::string(usual_place) : asked.at, asked.binary);
    if (done) return EXIT_SUCCESS;
    fmt::print(stderr, "occwserv: {}\n", done.error());
    return EXIT_FAILURE;
}

}  // namespace server
