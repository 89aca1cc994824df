// SPDX-License-Identifier: MIT
#include "server/lifecycle/upgrades.hpp"

#include <chrono>
#include <cstdio>
#include <optional>
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

constexpr const char* ends_already = "the server is ending already";

/// The place of this server at its control socket, while a new server may take it. The destructor gives it back to this
/// server, unless it was given away, and removes the file that the new server made beside it.
class lent_place {
  public:
    explicit lent_place(const std::string& path) : path_(path), ours_(path_beside(path, ::getpid())), theirs_(path)
    {
        theirs_.reserve(path.size() + 24);  // so that expect() needs no memory
        is_kept_ = ::link(path_.c_str(), ours_.c_str()) == 0;
    }
    lent_place(const lent_place&) = delete;
    lent_place& operator=(const lent_place&) = delete;
    /// REQUIRES: the new server has been killed, unless the place was given away.
    ~lent_place()
    {
        if (theirs_.size() > path_.size()) ::unlink(theirs_.c_str());
        if (!is_kept_) return;
        if (is_given_away_ || is_ours()) {
            ::unlink(ours_.c_str());
        } else {
            ::rename(ours_.c_str(), path_.c_str());
        }
    }
    void expect(pid_t heir) noexcept { theirs_ += path_beside({}, heir); }
    void give_away() noexcept { is_given_away_ = true; }

  private:
    [[nodiscard]] bool is_ours() const { return io::socket_identity::at(path_) == io::socket_identity::at(ours_); }

    std::string path_;
    std::string ours_;    // another name of our socket
    std::string theirs_;  // once the new server is started
    bool is_kept_ = false;
    bool is_given_away_ = false;
};

/// A new server on trial. The members are destroyed in such an order that it is killed before the place is taken back.
struct trial {
    lent_place place;
    std::chrono::milliseconds patience{};  // with its end, if this server ends too
    std::optional<successor> heir = {};
};

/// Starts a new server, and makes this one drain when it serves. Yields its process id, or an error, as a sentence.
csp::step<std::expected<pid_t, std::string>> replace_server(own_command command, trial& now, csp::in<stop>& cancelled,
                                                            upgrade_links& links)
{
    auto lent = co_await csp::ask(links.to_supervisor, lend_sockets{});
    if (!lent) co_return std::unexpected(ends_already);
    if (!lent->problem.empty()) co_return std::unexpected(lent->problem);
    now.patience = lent->patience;
    auto heir = co_await start_successor(std::move(command), std::move(lent->sockets));
    if (!heir) co_return std::unexpected(std::move(heir.error()));
    const pid_t pid = heir->process.pid();
    now.heir = std::move(*heir);
    now.place.expect(pid);
    auto serves = co_await try_successor(*now.heir, cancelled);
    if (serves) serves = co_await give_place(*now.heir, cancelled);
    if (!serves) co_return std::unexpected(std::move(serves.error()));
    if (!co_await csp::ask(links.to_supervisor, handed_over{.to = pid})) co_return std::unexpected(ends_already);
    std::move(now.heir->process).let_go();
    now.heir.reset();
    now.place.give_away();
    co_return pid;
}

/// If this server goes on, the new one is killed at once: it shares our sockets, and would get some of our clients.
csp::step<void> end_trial(trial& now, csp::in<stop>& cancelled)
{
    if (!now.heir) co_return;
    const bool server_ends = co_await csp::pri_alt(cancelled, csp::skip) == cancelled;
    if (server_ends) now.place.give_away();  // the control socket is about to be removed
    co_await end_successor(*now.heir, server_ends ? now.patience : std::chrono::milliseconds(0));
}

/// As replace_server(). After an error, or when memory runs out, nothing is left of the new server.
csp::step<std::expected<pid_t, std::string>> try_to_replace_server(own_command command, const std::string& control_path,
                                                                   csp::in<stop>& cancelled, upgrade_links& links)
{
    std::expected<pid_t, std::string> heir = std::unexpected("out of memory");  // which needs none, being so short
    trial now{lent_place(control_path)};
    try {
        heir = co_await replace_server(std::move(command), now, cancelled, links);
    } catch (...) {
        csp::report_fault();
    }
    if (!heir) co_await end_trial(now, cancelled);
    co_return heir;
}

csp::process attempt(own_command command, std::string control_path, csp::out<upgrade_answer> to_client,
                     csp::in<stop> cancelled, csp::out<stop> until_over, upgrade_links links)
{
    co_await links.to_log.output(error_line("notice", fmt::format("upgrade: starting {}", command.program)));
    const auto heir = co_await try_to_replace_server(std::move(command), control_path, cancelled, links);
    if (!heir) co_await links.to_log.output(error_line("error", fmt::format("no upgrade: {}", heir.error())));
    {
        const auto closed = std::move(until_over);  // before the client is told, who may ask again
    }
    if (heir) {
        co_await to_client.output(*heir);
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
