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

constexpr std::chrono::seconds client_patience{5};

csp::step<void> reply(io::socket& to, const answer& a)
{
    const std::string head = a ? "ok\n" : "error\n";
    const std::string& text = a ? *a : a.error();
    (void)co_await io::send_all(to, {head, text}, csp::core::here().now() + client_patience);
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
    const parking_view all = sum_of(co_await ask_all(links.to_witnesses), &core_view::connections);
    const auto up = std::chrono::floor<std::chrono::seconds>(csp::core::here().now() - began);
    co_return fmt::format(
        "occwserv {}, process {}, up {}\n{}connections {}, of which {} are being answered\nrequests {}\n",
        OCCWSERV_VERSION, ::getpid(), duration_text(up), served.value_or("ending\n"), all.parked + all.under_way,
        all.under_way, all.requests);
}

csp::step<answer> processes(control_links& links)
{
    std::string table = fmt::format("{:>4} {:>6}  {:<24} {}\n", "core", "count", "process", "waits for (one of them)");
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
    auto result = co_await csp::ask(links.to_upgrades, upgrade_request{.binary = std::move(binary)});
    if (!result) co_return std::unexpected("the upgrade failed: out of memory\nThe old server keeps running.\n");
    if (!*result) co_return std::unexpected(std::move(result->error()));
    co_return fmt::format("process {} has taken over; process {} exits when its connections are done\n", **result,
                          ::getpid());
}

csp::step<answer> reload(credentials who, control_links& links)
{
    const auto result =
        co_await csp::ask(links.to_supervisor, reload_order{.who = fmt::format("reload by process {}", who.process)});
    if (!result) co_return std::unexpected("the server is already stopping\n");
    if (!result->taken) {
        co_return std::unexpected(
            fmt::format("{}\nThe configuration is unchanged.\n", fmt::join(result->mistakes, "\n")));
    }
    std::string said = "configuration reloaded\n";
    for (const std::string& change : result->changes) said += change + "\n";
    for (const std::string& note : result->notes) said += note + "\n";
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
class pending_clients {
  public:
    /// Closes the client if there is no memory for it.
    void add(io::socket s) noexcept
    {
        const std::uint64_t token = ++last_;
        const bool is_in = csp::attempt([&] {
            clients_.emplace(token, pending_client{std::move(s), {}, csp::core::here().now() + client_patience});
            wait_for(token);
        });
        if (!is_in) clients_.erase(token);
    }
    [[nodiscard]] io::select_read& reads() { return reads_; }

    struct command {
        io::socket client;
        std::string line;
    };
    /// Handles an event. If a command is whole now, removes its client from here and yields both.
    [[nodiscard]] std::optional<command> handle(const io::select_event& e) noexcept
    {
        std::optional<command> whole;
        if (!csp::attempt([&] { whole = add_to_line(e); })) clients_.erase(e.token);
        return whole;
    }

  private:
    static constexpr std::size_t longest_line = 4096;
    struct pending_client {
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
        pending_client& u = clients_.at(token);
        reads_.add(token, u.socket, u.until);
    }

    io::select_read reads_;
    std::map<std::uint64_t, pending_client> clients_;
    std::uint64_t last_ = 0;
};

/// In an upgrade: takes the control socket when the old server says so, or has ended. Then waits until the old server
/// has handed over or ended, and removes the second name of the old control socket, which a killed server leaves
/// behind.
class takeover {
  public:
    [[nodiscard]] io::select_read& events() { return events_; }
    void wait_for(predecessor p)
    {
        before_ = std::move(p);
        if (io::descriptor line = before_.another()) line_ = io::socket(std::move(line));
        if (line_) events_.add(0, line_, io::no_deadline);
    }
    /// The reason, if the control socket cannot be taken over.
    [[nodiscard]] std::optional<std::string> handle(const io::select_event& e, control_socket& at)
    {
        std::optional<std::string> wrong;
        if (!std::exchange(has_taken_, true)) wrong = take(at);
        if (e.what == io::select_event::outcome::arrived) {
            events_.add(0, line_, io::no_deadline);
        } else {
            if (before_.has_left()) ::unlink(path_beside(at.path, before_.process()).c_str());
            line_ = {};
            before_ = {};
        }
        return wrong;
    }

  private:
    [[nodiscard]] std::optional<std::string> take(control_socket& at) const
    {
        std::optional<std::string> wrong;
        if (!at.file.move_to(at.path)) {
            wrong = fmt::format("the control socket {} cannot be taken over: {}", at.path, std::strerror(errno));
        }
        before_.tell(wrong ? std::string_view(*wrong) : "here");
        return wrong;
    }

    io::select_read events_;
    predecessor before_;
    io::socket line_;
    bool has_taken_ = false;
};

/// Waits for the client's command, or refuses the client.
void admit(io::socket client, pending_clients& pending, csp::forking& sessions)
{
    if (may_command(client)) {
        pending.add(std::move(client));
    } else {
        csp::attempt([&] { sessions.start(refusal(std::move(client))); });
    }
}

}  // namespace

csp::process control(control_socket at, csp::in<stop> over, csp::in<predecessor> predecessors, control_links links)
{
    const csp::time_point began = csp::core::here().now();
    io::acceptor clients(std::move(at.listening), io::acceptor::in_advance::one);
    pending_clients pending;
    takeover from_old_server;
    csp::forking sessions(csp::faults::contained);  // a fault costs the one command
    for (;;) {
        const auto chosen = co_await csp::pri_alt(over, csp::while_open(predecessors), from_old_server.events(),
                                                  pending.reads(), clients);
        if (chosen == over) break;
        if (chosen == predecessors) {
            auto before = co_await predecessors.input();
            from_old_server.wait_for(std::move(*before));
        } else if (chosen == from_old_server.events()) {
            const io::select_event said = co_await from_old_server.events().next();
            if (auto wrong = from_old_server.handle(said, at))
                co_await links.to_log.output(error_line("error", *wrong));
        } else if (chosen == pending.reads()) {
            auto said = pending.handle(co_await pending.reads().next());
            if (!said) continue;
            csp::attempt(
                [&] { sessions.start(session(std::move(said->client), std::move(said->line), began, links)); });
        } else {
            auto client = co_await clients.next();
            if (!client && client.error().closed()) break;
            if (!client) continue;
            admit(std::move(*client), pending, sessions);
        }
    }
    at.file.remove();  // while the socket is open: `clients` has it
}

}  // namespace server
