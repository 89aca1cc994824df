// SPDX-License-Identifier: MIT
#include "server/lifecycle/upgrades.hpp"

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/ask.hpp"
#include "csp/forking.hpp"
#include "io/socket_file.hpp"
#include "server/messages/stop.hpp"
#include "server/service/control_socket.hpp"

namespace server {
namespace {

constexpr const char* already_stopping = "the server is already stopping";

/// A second name of this server's control socket, as long as a new server may take the first. The destructor gives the
/// socket its first name again, unless that was given up, and removes the file that the new server made beside it.
class control_socket_backup {
  public:
    explicit control_socket_backup(const std::string& path)
        : path_(path), backup_(path_beside(path, ::getpid())), new_servers_(path)
    {
        new_servers_.reserve(path.size() + 24);  // so that note_new_server() needs no memory
        has_backup_ = ::link(path_.c_str(), backup_.c_str()) == 0;
    }
    control_socket_backup(const control_socket_backup&) = delete;
    control_socket_backup& operator=(const control_socket_backup&) = delete;
    /// REQUIRES: the new server has been killed, unless the name was given up.
    ~control_socket_backup()
    {
        if (new_servers_.size() > path_.size()) ::unlink(new_servers_.c_str());
        if (!has_backup_) return;
        if (is_given_up_ || is_ours()) {
            ::unlink(backup_.c_str());
        } else {
            ::rename(backup_.c_str(), path_.c_str());
        }
    }
    void note_new_server(pid_t new_server) noexcept { new_servers_ += path_beside({}, new_server); }
    void give_up() noexcept { is_given_up_ = true; }

  private:
    [[nodiscard]] bool is_ours() const { return io::socket_identity::at(path_) == io::socket_identity::at(backup_); }

    std::string path_;
    std::string backup_;       // the second name
    std::string new_servers_;  // where the new server makes its socket
    bool has_backup_ = false;
    bool is_given_up_ = false;
};

/// A new server on trial. `new_server` is the last member, so it is killed before the control socket is restored.
struct trial {
    control_socket_backup control_socket;
    std::chrono::milliseconds patience{};  // for its end, if this server ends too
    std::optional<successor> new_server = {};
};

/// Starts a new server, and has this one drain when the new one serves. Yields its process id, or an error as a
/// sentence.
csp::step<std::expected<pid_t, std::string>> replace_server(std::string program, trial& now, csp::in<stop>& cancelled,
                                                            upgrade_links& links)
{
    auto lent = co_await csp::ask(links.to_supervisor, lend_sockets{});
    if (!lent) co_return std::unexpected(already_stopping);
    if (!lent->problem.empty()) co_return std::unexpected(lent->problem);
    now.patience = lent->patience;
    auto new_server = co_await start_successor(links.steward, std::move(program), std::move(lent->sockets));
    if (!new_server) co_return std::unexpected(std::move(new_server.error()));
    const pid_t pid = new_server->process.pid();
    now.new_server = std::move(*new_server);
    now.control_socket.note_new_server(pid);
    auto serves = co_await try_successor(*now.new_server, cancelled);
    if (serves) serves = co_await give_place(*now.new_server, cancelled);
    if (!serves) co_return std::unexpected(std::move(serves.error()));
    if (!co_await csp::ask(links.to_supervisor, handed_over{.to = pid})) co_return std::unexpected(already_stopping);
    std::move(now.new_server->process).let_go();
    now.new_server.reset();
    now.control_socket.give_up();
    co_return pid;
}

/// If this server keeps running, the new one is killed at once: it shares the listening sockets, so it would get
/// clients.
csp::step<void> end_trial(trial& now, csp::in<stop>& cancelled)
{
    if (!now.new_server) co_return;
    const bool server_ends = co_await csp::pri_alt(cancelled, csp::skip) == cancelled;
    if (server_ends) now.control_socket.give_up();  // the control socket is about to be removed
    co_await end_successor(*now.new_server, server_ends ? now.patience : std::chrono::milliseconds(0));
}

/// As replace_server(). After an error, or if there is no memory, the new server has been ended.
csp::step<std::expected<pid_t, std::string>> try_to_replace_server(std::string program, const std::string& control_path,
                                                                   csp::in<stop>& cancelled, upgrade_links& links)
{
    // A text so short that it needs no memory itself.
    std::expected<pid_t, std::string> new_server = std::unexpected("out of memory");
    trial now{control_socket_backup(control_path)};
    try {
        new_server = co_await replace_server(std::move(program), now, cancelled, links);
    } catch (...) {
        csp::report_fault();
    }
    if (!new_server) co_await end_trial(now, cancelled);
    co_return new_server;
}

csp::process attempt(std::string program, std::string control_path, csp::out<upgrade_answer> to_client,
                     csp::in<stop> cancelled, csp::out<stop> until_over, upgrade_links links)
{
    co_await links.to_log.output(error_line("notice", fmt::format("upgrade: starting {}", program)));
    const auto new_server = co_await try_to_replace_server(std::move(program), control_path, cancelled, links);
    if (!new_server) {
        co_await links.to_log.output(error_line("error", fmt::format("upgrade failed: {}", new_server.error())));
    }
    {
        const auto closed = std::move(until_over);  // before the answer, after which the client may ask again
    }
    if (new_server) {
        co_await to_client.output(*new_server);
    } else {
        const bool server_ends = co_await csp::pri_alt(cancelled, csp::skip) == cancelled;
        co_await to_client.output(std::unexpected(
            fmt::format("{}\n{}", new_server.error(), server_ends ? "" : "The old server keeps running.\n")));
    }
}

/// The ends of the attempt in progress; empty if there is none.
struct running_attempt {
    csp::in<stop> over;    // closed when the attempt ends, however it ends
    csp::out<stop> until;  // closing it cancels the attempt

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(over); }
};

/// No value if there is no memory for the answer. Then its channel closes, which tells the client.
std::optional<upgrade_answer> refusal(std::string_view why) noexcept
{
    std::optional<upgrade_answer> no;
    csp::attempt([&] { no = std::unexpected(std::string(why) + "\n"); });
    return no;
}

}  // namespace

csp::process upgrades(std::string own_program, std::string control_path, csp::in<upgrade_request> requests,
                      csp::in<stop> over, upgrade_links links)
{
    csp::forking attempts(csp::faults::contained);  // one that faults has failed, and the server keeps running
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
            auto no = refusal(server_ends ? already_stopping : "an upgrade is in progress");
            if (no) co_await request->answer.output(std::move(*no));
            continue;
        }
        csp::attempt([&] {
            std::string program = request->binary.empty() ? own_program : std::move(request->binary);
            csp::chan<stop> until;
            csp::chan<stop> ended;
            now = {ended.rx(), until.tx()};
            attempts.start(attempt(std::move(program), control_path, std::move(request->answer), until.rx(), ended.tx(),
                                   links.another()));
        });
    }
}

}  // namespace server
