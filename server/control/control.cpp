// SPDX-License-Identifier: MIT
#include "server/control/control.hpp"

#include <array>
#include <chrono>
#include <expected>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"
#include "io/acceptor.hpp"
#include "server/observers/witness.hpp"

namespace server {
namespace {

using answer = std::expected<std::string, std::string>;  // to be shown, or what was wrong

constexpr std::chrono::seconds time_to_speak{5};

csp::step<std::optional<std::string>> read_line(io::socket& from)
{
    const io::deadline until = csp::core::here().now() + time_to_speak;
    std::string line;
    std::array<char, 1024> room;
    while (line.find('\n') == std::string::npos) {
        const auto got = co_await io::recv(from, room, until);
        if (!got || *got == 0 || line.size() > 4 * room.size()) co_return std::nullopt;
        line.append(room.data(), *got);
    }
    line.resize(line.find('\n'));
    co_return line;
}

csp::step<void> reply(io::socket& to, const answer& a)
{
    const std::string head = a ? "ok\n" : "error\n";
    const std::string& text = a ? *a : a.error();
    (void)co_await io::send_all(to, {head, text}, csp::core::here().now() + time_to_speak);
}

std::string duration_text(std::chrono::seconds s)
{
    const auto n = s.count();
    if (n < 60) return fmt::format("{} s", n);
    if (n < 3600) return fmt::format("{} min {} s", n / 60, n % 60);
    if (n < 86'400) return fmt::format("{} h {} min", n / 3600, n / 60 % 60);
    return fmt::format("{} days {} h", n / 86'400, n / 3600 % 24);
}

/// The supervisor's answer to an order that has the end for it; nothing if the server is ending.
template <class Answer, class Order>
csp::step<std::optional<Answer>> order(csp::shared_out<supervisor_order>& to_supervisor, Order what,
                                       csp::out<Answer> Order::* answer)
{
    csp::chan<Answer> reply;
    csp::in<Answer> answers = reply.rx();
    what.*answer = reply.tx();
    if (!co_await to_supervisor.output(std::move(what))) co_return std::nullopt;
    co_return co_await answers.input();
}

csp::step<answer> status(csp::time_point began, control_links& links)
{
    const auto served = co_await order(links.to_supervisor, ask_what_is_served{}, &ask_what_is_served::to);
    const parking_view all = all_connections(co_await ask_all(links.to_witnesses));
    const auto up = std::chrono::floor<std::chrono::seconds>(csp::core::here().now() - began);
    co_return fmt::format(
        "occwserv {}, process {}, up {}\n{}connections {}, of which {} are being answered\nrequests {}\n",
        OCCWSERV_VERSION, ::getpid(), duration_text(up), served.value_or("ending\n"), all.parked + all.under_way,
        all.under_way, all.requests);
}

csp::step<answer> processes(control_links& links)
{
    std::string table = fmt::format("{:>4} {:>6}  {:<24} {}\n", "core", "count", "process", "one of them waits for");
    for (const core_view& core : co_await ask_all(links.to_witnesses)) {
        for (const csp::kind_of_process& p : core.processes) {
            table += fmt::format("{:>4} {:>6}  {:<24} {}\n", core.core, p.count, p.name,
                                 p.example.empty() ? "runs" : p.example);
        }
    }
    co_return table;
}

csp::step<answer> upgrade(own_command command, std::string_view binary, control_links& links)
{
    if (!binary.empty()) command.program = binary;
    co_await links.to_log.output(error_line("notice", fmt::format("upgrade: starting {}", command.program)));
    auto ours = co_await order(links.to_supervisor, lend_sockets{}, &lend_sockets::to);
    if (!ours) co_return std::unexpected("the server is ending already\n");
    const auto heir = co_await start_successor(std::move(command), std::move(*ours));
    if (!heir) {
        co_await links.to_log.output(error_line("error", fmt::format("no upgrade: {}", heir.error())));
        co_return std::unexpected(fmt::format("{}\nThe old server goes on.\n", heir.error()));
    }
    co_await links.to_supervisor.output(handed_over{*heir});
    co_return fmt::format("process {} serves now; process {} ends when its clients are done\n", *heir, ::getpid());
}

csp::step<answer> reload(credentials who, control_links& links)
{
    reload_order what{.who = fmt::format("reload by process {}", who.process), .answer = {}};
    const auto became = co_await order(links.to_supervisor, std::move(what), &reload_order::answer);
    if (!became) co_return std::unexpected("the server is ending already\n");
    if (!became->taken()) {
        co_return std::unexpected(
            fmt::format("{}\nThe configuration stays as it was.\n", fmt::join(became->mistakes, "\n")));
    }
    std::string said = "the configuration was read again and is in force\n";
    for (const std::string& change : became->changes) said += change + "\n";
    for (const std::string& note : became->notes) said += note + "\n";
    co_return said;
}

/// One command, from its line to its answer.
csp::process session(io::socket client, own_command command, csp::time_point began, control_links links)
{
    const auto who = peer_credentials(client.number());
    if (!who || (who->user != 0 && who->user != ::geteuid())) {
        co_await reply(client, std::unexpected("only root and the user whom the server runs as may do this\n"));
        co_return;
    }
    const auto line = co_await read_line(client);
    if (!line) co_return;
    const std::string word = line->substr(0, line->find(' '));
    const std::string rest = word.size() < line->size() ? line->substr(word.size() + 1) : std::string();
    if (word == "status") {
        co_await reply(client, co_await status(began, links));
    } else if (word == "ps") {
        co_await reply(client, co_await processes(links));
    } else if (word == "reload") {
        co_await reply(client, co_await reload(*who, links));
    } else if (word == "upgrade") {
        co_await reply(client, co_await upgrade(std::move(command), rest, links));
    } else if (word == "stop") {
        co_await reply(client, "");
        co_await links.to_supervisor.output(end_server{std::move(client)});
    } else {
        co_await reply(client, std::unexpected(fmt::format("`{}` is not a command of this server\n", word)));
    }
}

}  // namespace

csp::process control(control_socket at, own_command command, csp::in<stop> over, control_links links)
{
    const csp::time_point began = csp::core::here().now();
    io::acceptor clients(std::move(at.listening));
    csp::forking sessions;
    for (;;) {
        if (co_await csp::pri_alt(over, clients) == over) break;
        auto client = co_await clients.next();
        if (!client && client.error().closed()) break;
        if (client) sessions.start(session(std::move(*client), command, began, links));
    }
    at.file.remove();  // while the socket is open: `clients` has it
}

}  // namespace server
