// SPDX-License-Identifier: MIT
#include "server/control/upgrades.hpp"

#include <optional>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"
#include "server/control/ask_supervisor.hpp"
#include "server/control/socket.hpp"

namespace server {
namespace {

constexpr const char* ends_already = "the server is ending already";

/// Starts a new server, and makes this one drain when it serves. Yields its process id, or an error, as a sentence;
/// then nothing is left of the new server.
csp::step<std::expected<pid_t, std::string>> replace_server(own_command command, const std::string& control_path,
                                                            csp::in<stop>& cancelled, upgrade_links& links)
{
    auto lent = co_await ask_supervisor(links.to_supervisor, lend_sockets{}, &lend_sockets::to);
    if (!lent) co_return std::unexpected(ends_already);
    if (!lent->problem.empty()) co_return std::unexpected(lent->problem);
    auto heir = co_await start_successor(std::move(command), std::move(lent->sockets));
    if (!heir) co_return std::unexpected(std::move(heir.error()));
    const pid_t pid = heir->process.pid();
    auto serves = co_await try_successor(*heir, cancelled);
    if (serves) serves = co_await give_place(*heir, cancelled);
    if (serves) {
        handed_over what{.to = pid, .answer = {}};
        if (co_await ask_supervisor(links.to_supervisor, std::move(what), &handed_over::answer)) {
            std::move(heir->process).let_go();
            co_return pid;
        }
        serves = std::unexpected(ends_already);
    }
    // If this server goes on, the new one is killed at once: it shares our sockets, and would get some of our clients.
    const bool server_ends = co_await csp::pri_alt(cancelled, csp::skip) == cancelled;
    if (server_ends) co_await end_successor(std::move(*heir), lent->patience);
    ::unlink(path_beside(control_path, pid).c_str());
    co_return std::unexpected(std::move(serves.error()));
}

csp::process attempt(own_command command, std::string control_path, csp::out<upgrade_answer> to_client,
                     csp::in<stop> cancelled, csp::out<stop> until_over, upgrade_links links)
{
    co_await links.to_log.output(error_line("notice", fmt::format("upgrade: starting {}", command.program)));
    const auto heir = co_await replace_server(std::move(command), control_path, cancelled, links);
    if (!heir) co_await links.to_log.output(error_line("error", fmt::format("no upgrade: {}", heir.error())));
    {
        const auto closed = std::move(until_over);  // before the client is told, who may ask again
    }
    if (heir) {
        co_await to_client.output(
            fmt::format("process {} serves now; process {} ends when its clients are done\n", *heir, ::getpid()));
    } else {
        const bool server_ends = co_await csp::pri_alt(cancelled, csp::skip) == cancelled;
        co_await to_client.output(
            std::unexpected(fmt::format("{}\n{}", heir.error(), server_ends ? "" : "The old server goes on.\n")));
    }
}

/// The ends of the attempt that is under way; empty if there is none.
struct running_attempt {
    csp::in<stop> over;    // closed with the attempt, however that ends
    csp::out<stop> until;  // to be closed when it is to be cancelled

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(over); }
};

}  // namespace

csp::process upgrades(own_command command, std::string control_path, csp::in<upgrade_request> requests,
                      csp::in<stop> over, upgrade_links links)
{
    csp::forking attempts(csp::faults::contained);  // one that faults has failed, and the server goes on
    running_attempt now;
    bool server_ends = false;
    bool may_ask = true;
    while (may_ask || now) {
        const auto chosen =
            co_await csp::pri_alt(csp::when(!server_ends, over), now.over, csp::when(may_ask, requests));
        if (chosen == over) {
            server_ends = true;
            now.until = {};
            continue;
        }
        if (chosen == now.over) {
            now = {};
            continue;
        }
        auto request = co_await requests.input();
        may_ask = request.has_value();
        if (!request) continue;
        if (server_ends || now) {
            std::optional<upgrade_answer> no;
            csp::attempt([&] {
                no = std::unexpected(std::string(server_ends ? ends_already : "an upgrade is under way") + "\n");
            });
            if (no) co_await request->answer.output(std::move(*no));
            continue;
        }
        csp::attempt([&] {
            own_command what = command;
            if (!request->binary.empty()) what.program = std::move(request->binary);
            csp::chan<stop> until;
            csp::chan<stop> ended;
            now = {ended.rx(), until.tx()};
            attempts.start(
                attempt(std::move(what), control_path, std::move(request->answer), until.rx(), ended.tx(), links));
        });
    }
}

}  // namespace server
