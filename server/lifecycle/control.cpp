// SPDX-License-Identifier: MIT
#include "server/lifecycle/control.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <expected>
#include <map>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "csp/alt.hpp"
#include "csp/ask.hpp"
#include "csp/forking.hpp"
#include "io/acceptor.hpp"
#include "io/select_read.hpp"
#include "server/messages/stop.hpp"
#include "server/stats/witness.hpp"

namespace server {
namespace {

using answer = std::expected<std::string, std::string>;  // to be shown, or what was wrong

constexpr std::chrono::seconds time_to_speak{5};

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

csp::step<answer> status(csp::time_point began, control_links& links)
{
    const auto served = co_await csp::ask(links.to_supervisor, ask_what_is_served{});
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

csp::step<answer> upgrade(std::string binary, control_links& links)
{
    auto became = co_await csp::ask(links.to_upgrades, upgrade_request{.binary = std::move(binary)});
    if (!became) co_return std::unexpected("the upgrade failed: out of memory\nThe old server goes on.\n");
    if (!*became) co_return std::unexpected(std::move(became->error()));
    co_return fmt::format("process {} serves now; process {} ends when its clients are done\n", **became, ::getpid());
}

csp::step<answer> reload(credentials who, control_links& links)
{
    const auto became =
        co_await csp::ask(links.to_supervisor, reload_order{.who = fmt::format("reload by process {}", who.process)});
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
csp::process session(io::socket client, std::string line, csp::time_point began, control_links links)
{
    const auto who = peer_credentials(client.number());
    if (!who) co_return;
    const std::string word = line.substr(0, line.find(' '));
    std::string rest = word.size() < line.size() ? line.substr(word.size() + 1) : std::string();
    if (word == "status") {
        co_await reply(client, co_await status(began, links));
    } else if (word == "ps") {
        co_await reply(client, co_await processes(links));
    } else if (word == "reload") {
        co_await reply(client, co_await reload(*who, links));
    } else if (word == "upgrade") {
        co_await reply(client, co_await upgrade(std::move(rest), links));
    } else if (word == "stop") {
        co_await reply(client, "");
        co_await links.to_supervisor.output(end_server{std::move(client)});
    } else {
        co_await reply(client, std::unexpected(fmt::format("`{}` is not a command of this server\n", word)));
    }
}

csp::process refusal(io::socket client)
{
    co_await reply(client, std::unexpected("only root and the user that the server runs as may do this\n"));
}

bool may_command(const io::socket& client)
{
    const auto who = peer_credentials(client.number());
    return who && (who->user == 0 || who->user == ::geteuid());
}

/// The clients that have not sent a whole line yet.
class audience {
  public:
    /// A client for whom there is no memory is closed.
    void add(io::socket s) noexcept
    {
        const std::uint64_t token = ++last_;
        const bool is_in = csp::attempt([&] {
            clients_.emplace(token, unheard{std::move(s), {}, csp::core::here().now() + time_to_speak});
            wait_for(token);
        });
        if (!is_in) clients_.erase(token);
    }
    [[nodiscard]] io::select_read& speech() { return speech_; }

    struct command {
        io::socket client;
        std::string line;
    };
    /// Handles an event. Yields a client and its command if that is whole now; the client is then no longer among
    /// these.
    [[nodiscard]] std::optional<command> hear(const io::select_event& e) noexcept
    {
        std::optional<command> whole;
        if (!csp::attempt([&] { whole = add_to_line(e); })) clients_.erase(e.token);
        return whole;
    }

  private:
    static constexpr std::size_t longest_line = 4096;
    struct unheard {
        io::socket socket;
        std::string said;
        io::deadline until;
    };

    [[nodiscard]] std::optional<command> add_to_line(const io::select_event& e)
    {
        const auto at = clients_.find(e.token);
        if (at == clients_.end()) return std::nullopt;
        std::string& said = at->second.said;
        if (e.what == io::select_event::outcome::arrived) said += e.bytes.text();
        const auto end = said.find('\n');
        if (end != std::string::npos) {
            said.resize(end);
            command whole{std::move(at->second.socket), std::move(said)};
            clients_.erase(at);
            return whole;
        }
        if (e.what == io::select_event::outcome::arrived && said.size() <= longest_line) {
            wait_for(e.token);
        } else {
            clients_.erase(at);
        }
        return std::nullopt;
    }
    void wait_for(std::uint64_t token)
    {
        unheard& u = clients_.at(token);
        speech_.add(token, u.socket, u.until);
    }

    io::select_read speech_;
    std::map<std::uint64_t, unheard> clients_;
    std::uint64_t last_ = 0;
};

/// The line to a predecessor, until the predecessor has left its place.
class place {
  public:
    [[nodiscard]] io::select_read& departure() { return departure_; }
    void wait_for(predecessor p)
    {
        before_ = std::move(p);
        if (io::descriptor line = before_.another()) line_ = io::socket(std::move(line));
        if (line_) departure_.add(0, line_, io::no_deadline);
    }
    /// The reason if the control socket cannot be put there.
    [[nodiscard]] std::optional<std::string> take(control_socket& at)
    {
        line_ = {};
        std::optional<std::string> wrong;
        if (!at.file.move_to(at.path)) {
            wrong = fmt::format("the control socket {} cannot be taken over: {}", at.path, std::strerror(errno));
        }
        before_.tell(wrong ? std::string_view(*wrong) : "here");
        before_ = {};
        return wrong;
    }

  private:
    io::select_read departure_;
    predecessor before_;
    io::socket line_;
};

}  // namespace

csp::process control(control_socket at, csp::in<stop> over, csp::in<predecessor> predecessors, control_links links)
{
    const csp::time_point began = csp::core::here().now();
    io::acceptor clients(std::move(at.listening), io::acceptor::in_advance::one);
    audience unheard;
    place ours;
    csp::forking sessions(csp::faults::contained);  // a fault costs the one command
    for (;;) {
        const auto chosen =
            co_await csp::pri_alt(over, csp::while_open(predecessors), ours.departure(), unheard.speech(), clients);
        if (chosen == over) break;
        if (chosen == predecessors) {
            auto before = co_await predecessors.input();
            ours.wait_for(std::move(*before));
        } else if (chosen == ours.departure()) {
            (void)co_await ours.departure().next();
            if (auto wrong = ours.take(at)) co_await links.to_log.output(error_line("error", *wrong));
        } else if (chosen == unheard.speech()) {
            auto said = unheard.hear(co_await unheard.speech().next());
            if (!said) continue;
            csp::attempt(
                [&] { sessions.start(session(std::move(said->client), std::move(said->line), began, links)); });
        } else {
            auto client = co_await clients.next();
            if (!client && client.error().closed()) break;
            if (!client) continue;
            if (may_command(*client)) {
                unheard.add(std::move(*client));
            } else {
                csp::attempt([&] { sessions.start(refusal(std::move(*client))); });
            }
        }
    }
    at.file.remove();  // while the socket is open: `clients` has it
}

}  // namespace server
