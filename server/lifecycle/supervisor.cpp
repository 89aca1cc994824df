// SPDX-License-Identifier: MIT
#include "server/lifecycle/supervisor.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"
#include "csp/timer.hpp"
#include "io/signals.hpp"
#include "server/messages/stop.hpp"
#include "server/stats/witness.hpp"

namespace server {
namespace {

csp::step<void> tell_the_log(const reload_answer& result, const std::string& who, csp::shared_out<log_lines>& to_log)
{
    for (const std::string& m : result.mistakes) co_await to_log.output(error_line("error", m));
    for (const std::string& n : result.notes) co_await to_log.output(error_line("warning", n));
    for (const std::string& c : result.changes) co_await to_log.output(error_line("notice", c));
    co_await to_log.output(
        result.taken ? error_line("notice", fmt::format("{}: configuration reloaded", who))
                     : error_line("error", fmt::format("{}: reload failed, the configuration is unchanged", who)));
}

/// Logs every two seconds how many requests are still in progress. A process of its own, because a core that does not
/// answer must not keep the supervisor from ending the program.
csp::process progress_of_end(csp::in<stop> over, std::vector<csp::bridge_out<core_question>> to_witnesses,
                             csp::shared_out<log_lines> to_log)
{
    constexpr std::chrono::seconds pause{2};
    for (;;) {
        const csp::timeout time_to_tell = csp::after(pause);
        if (co_await csp::pri_alt(over, time_to_tell) == over) co_return;
        const parking_view all = sum_of(co_await ask_all(to_witnesses), &core_view::connections);
        co_await to_log.output(
            error_line("notice", fmt::format("ending: {} connections, of which {} are being answered",
                                             all.parked + all.under_way, all.under_way)));
    }
}

loan another_of_each(const supervised& configured)
{
    loan all{.sockets = {}, .patience = configured.grace, .problem = {}};
    for (const listening& l : configured.sockets.opened) {
        auto copy = duplicate(l.socket);
        if (!copy) {
            all.problem = fmt::format("no file descriptor is left for {}: {}", l.address, copy.error().text);
            break;
        }
        all.sockets.push_back({l.address, std::move(*copy), l.file});
    }
    return all;
}

/// Why the server ends.
struct end_reason {
    std::string text;
    std::optional<pid_t> successor;
};

/// The clients of `occwserv stop`. Each waits until its connection is closed, so these stay open until the end.
class clients_of_the_end {
  public:
    /// Without memory the client's connection closes early.
    void add(io::socket client) noexcept
    {
        csp::attempt([&] { all_.push_back(std::move(client)); });
    }
    /// Takes an order that comes too late for anything else. Other clients than those of `stop` see their channel
    /// close, which tells them that the server ends.
    csp::step<void> take_late_order(csp::in<supervisor_order>& orders)
    {
        auto order = co_await orders.input();
        if (auto* end = std::get_if<end_server>(&*order)) add(std::move(end->client));
    }

  private:
    std::vector<io::socket> all_;
};

/// The state of the supervisor while the server runs.
struct serving {
    supervisor_setup& with;
    csp::in<supervisor_order>& orders;
    config_link& to_config;
    csp::out<log_order>& to_logs;
    csp::shared_out<log_lines>& to_log;
    clients_of_the_end& clients;
    bool reload_requested = false;                // SIGHUP has come
    std::deque<supervisor_order> postponed = {};  // orders that came during a reload
    std::optional<end_reason> end = {};
};

csp::step<void> answer_what_is_served(ask_what_is_served& ask, const supervisor_setup& with)
{
    co_await ask.answer.output(fmt::format("{}{}\n{}\n", with.configured.served, with.engine, with.sandbox));
}

/// Handles one signal. SIGHUP is only noted.
csp::step<void> handle_signal(serving& s)
{
    const int signal = co_await s.with.signals.next();
    if (signal == SIGHUP) {
        s.reload_requested = true;
    } else if (signal == SIGUSR1) {
        co_await s.to_logs.output(log_order::reopen);
    } else {
        s.end = end_reason{::strsignal(signal), std::nullopt};
    }
}

void handle_stop(end_server& order, serving& s)
{
    s.clients.add(std::move(order.client));
    s.end = end_reason{"asked to stop", std::nullopt};
}

/// Takes an order during a reload.
csp::step<void> take_order_during_reload(serving& s)
{
    auto order = co_await s.orders.input();
    if (auto* end = std::get_if<end_server>(&*order)) {
        handle_stop(*end, s);
    } else if (auto* ask = std::get_if<ask_what_is_served>(&*order)) {
        co_await answer_what_is_served(*ask, s.with);
    } else {
        csp::attempt([&] { s.postponed.push_back(std::move(*order)); });  // otherwise its client sees the channel close
    }
}

/// Waits for the result of a reload. If the server is stopped meanwhile, config learns it and answers at once.
csp::step<std::optional<reload_answer>> wait_for_reload(csp::in<reload_answer>& answers, serving& s)
{
    while (!s.end) {
        const auto chosen = co_await csp::pri_alt(s.with.signals, answers, csp::while_open(s.orders));
        if (chosen == answers) break;
        if (chosen == s.with.signals) {
            co_await handle_signal(s);
        } else {
            co_await take_order_during_reload(s);
        }
    }
    if (s.end) s.to_config.ending.reset();
    co_return co_await answers.input();
}

/// Whether the files of the listening sockets are this server's to remove. Until the old server has handed over, it may
/// keep running, and then needs them.
bool has_files(const supervisor_setup& with)
{
    return with.addresses == who_chooses_addresses::configuration && !with.old_server.is_there();
}

/// Replaces what the supervisor keeps of the configuration.
void keep(supervised now, supervisor_setup& with)
{
    std::vector<listening> sockets = std::move(with.configured.sockets.opened);
    std::erase_if(sockets, [&](const listening& l) {
        if (!now.sockets.closes(l.address)) return false;
        if (has_files(with)) with.steward.remove_file_of(l);
        return true;
    });
    std::ranges::move(now.sockets.opened, std::back_inserter(sockets));
    with.configured = {now.grace, std::move(now.served), {.opened = std::move(sockets), .closed = {}}};
}

/// Has config reload the configuration, and waits for the result.
csp::step<reload_answer> reload(std::string who, serving& s)
{
    csp::bridge<reload_answer> reply(csp::core::here());
    csp::in<reload_answer> answers = reply.rx();
    co_await s.to_config.reloads.output({.answer = reply.tx()});
    auto result = co_await wait_for_reload(answers, s);
    if (!result) co_return reload_answer{.mistakes = {"the configuration cannot be reloaded any more"}};
    if (auto now = std::exchange(result->now, std::nullopt)) keep(std::move(*now), s.with);
    s.with.log_hangs = result->hangs;
    co_await tell_the_log(*result, who, s.to_log);
    co_return std::move(*result);
}

/// Executes one order.
csp::step<void> serve_order(supervisor_order order, serving& s)
{
    if (auto* lend = std::get_if<lend_sockets>(&order)) {
        co_await lend->answer.output(another_of_each(s.with.configured));
    } else if (auto* again = std::get_if<reload_order>(&order)) {
        auto result = co_await reload(std::move(again->who), s);
        co_await again->answer.output(std::move(result));
    } else if (auto* ask = std::get_if<ask_what_is_served>(&order)) {
        co_await answer_what_is_served(*ask, s.with);
    } else if (auto* end = std::get_if<end_server>(&order)) {
        handle_stop(*end, s);
    } else {
        auto& handed = std::get<handed_over>(order);
        const pid_t new_server = handed.to;
        co_await handed.answer.output({});
        s.end = end_reason{fmt::format("replaced by process {}", new_server), new_server};
    }
}

/// Handles orders and signals until one of them ends the server.
csp::step<end_reason> serve_until_end(supervisor_setup& with, supervisor_links& links, clients_of_the_end& clients)
{
    serving s{with, links.orders, links.to_config, links.to_logs, links.to_log, clients};
    while (!s.end) {
        if (std::exchange(s.reload_requested, false)) {
            (void)co_await reload("SIGHUP", s);
        } else if (!s.postponed.empty()) {
            supervisor_order next = std::move(s.postponed.front());
            s.postponed.pop_front();
            co_await serve_order(std::move(next), s);
        } else if (co_await csp::pri_alt(s.with.signals, csp::while_open(s.orders)) == s.with.signals) {
            co_await handle_signal(s);
        } else {
            auto order = co_await s.orders.input();
            co_await serve_order(std::move(*order), s);
        }
    }
    co_return std::move(*s.end);
}

/// Why the wait for the end of the cores is over.
enum class waited : std::uint8_t { ended, patience_over, signal };

csp::step<waited> wait_for_end(supervisor_setup& with, supervisor_links& links, clients_of_the_end& clients)
{
    const csp::timeout patience_ends = csp::after(with.configured.grace);
    for (;;) {
        const auto chosen =
            co_await csp::pri_alt(links.totals, with.signals, patience_ends, csp::while_open(links.orders));
        if (chosen == links.totals) co_return waited::ended;
        if (chosen == patience_ends) co_return waited::patience_over;
        if (chosen == with.signals) {
            const int signal = co_await with.signals.next();
            if (signal == SIGTERM || signal == SIGINT) co_return waited::signal;
            if (signal == SIGUSR1) co_await links.to_logs.output(log_order::reopen);
            continue;
        }
        co_await clients.take_late_order(links.orders);
    }
}

/// Waits until the logs are written, or until another signal comes. Takes orders, because the log waits until all ends
/// of `lines` are closed, and a session may hold one while it waits for the supervisor.
csp::step<log_end> end_logs(log_order how, supervisor_setup& with, supervisor_links& links, clients_of_the_end& clients)
{
    co_await links.to_logs.output(how);
    for (;;) {
        const auto chosen = co_await csp::pri_alt(links.logs_end, with.signals, csp::while_open(links.orders));
        if (chosen == links.logs_end) break;
        if (chosen == links.orders) {
            co_await clients.take_late_order(links.orders);
            continue;
        }
        const int signal = co_await with.signals.next();
        if (signal == SIGTERM || signal == SIGINT) co_await links.to_logs.output(log_order::give_up);
        if (signal == SIGUSR1) co_await links.to_logs.output(log_order::reopen);
    }
    const auto end = co_await links.logs_end.input();
    co_return end.value_or(log_end{});
}

csp::step<void> tell_all(std::vector<csp::bridge_out<stop>>& to_cores, stop::manner how)
{
    for (auto& to_core : to_cores) co_await to_core.output({how});
}

/// Waits until every core serves, and reports it to the service manager and to the old server.
csp::step<void> begin_to_serve(supervisor_setup& with, supervisor_links& links)
{
    (void)co_await ask_all(links.to_witnesses);  // a core that answers serves
    with.manager.tell("READY=1\n");
    if (with.old_server) {
        with.old_server.tell("ready");
        predecessor another(with.old_server.another());
        const bool has_control = another && co_await links.to_control.output(std::move(another));
        if (!has_control) with.old_server.tell("here");
    }
    for (log_lines& line : with.first_lines) co_await links.to_log.output(std::move(line));
}

/// Cancels a reload or an upgrade, gives up the listening sockets, and reports that the server stops.
csp::step<void> begin_to_end(supervisor_setup& with, const end_reason& why, supervisor_links& links)
{
    links.while_serving.clear();
    links.to_config.ending.reset();
    if (!why.successor && has_files(with)) with.steward.remove_files_of(with.configured.sockets.opened);
    with.configured.sockets = {};
    with.manager.tell(why.successor ? fmt::format("MAINPID={}\n", *why.successor) : "STOPPING=1\n");
    co_await links.to_log.output(
        error_line("notice", fmt::format("{}: no new connections; requests in progress have {} s to finish", why.text,
                                         static_cast<double>(with.configured.grace.count()) / 1000)));
}

csp::step<waited> stop_cores(stop::manner how, supervisor_setup& with, supervisor_links& links,
                             clients_of_the_end& clients)
{
    co_await tell_all(links.to_cores, how);
    co_return co_await wait_for_end(with, links, clients);
}

/// Waits for the end of the cores. If a successor serves, idle clients may first send one more request.
csp::step<waited> end_cores(supervisor_setup& with, bool has_successor, supervisor_links& links,
                            clients_of_the_end& clients)
{
    waited for_it = waited::patience_over;
    if (has_successor) for_it = co_await stop_cores(stop::manner::gently, with, links, clients);
    if (for_it != waited::ended) for_it = co_await stop_cores(stop::manner::now, with, links, clients);
    links.to_cores.clear();
    links.until_end.clear();
    co_return for_it;
}

/// Logs how the cores have ended, and ends the logs.
csp::step<log_end> end_logs_after(waited for_it, supervisor_setup& with, supervisor_links& links,
                                  clients_of_the_end& clients)
{
    auto order = log_order::finish;
    if (for_it == waited::ended) {
        const auto sum = co_await links.totals.input();
        co_await links.to_log.output(error_line("notice", fmt::format("ended; {}", sum ? to_string(*sum) : "")));
    } else {
        co_await links.to_log.output(error_line("warning", "ended while answers were still being sent"));
        co_await csp::sleep(std::chrono::milliseconds(500));  // for the last lines of the back ends
        order = for_it == waited::signal ? log_order::give_up : log_order::finish_present;
    }
    {
        const auto lines_closed = std::move(links.to_log);  // the log waits for that
    }
    co_return co_await end_logs(order, with, links, clients);
}

}  // namespace

csp::process supervisor(supervisor_setup with, supervisor_links links)
{
    co_await begin_to_serve(with, links);
    clients_of_the_end clients;
    const end_reason why = co_await serve_until_end(with, links, clients);
    co_await begin_to_end(with, why, links);

    csp::forking reports(csp::faults::contained);
    csp::chan<stop> ended;
    reports.start(progress_of_end(ended.rx(), std::move(links.to_witnesses), links.to_log));
    links.until_end.push_back(ended.shared_tx());

    const waited for_it = co_await end_cores(with, why.successor.has_value(), links, clients);
    const log_end logs = co_await end_logs_after(for_it, with, links, clients);
    // Workers may hold sockets of clients that do not read, and the log or config may hold a file on a disk that hangs.
    // Only the exit of the program closes these.
    if (for_it != waited::ended || !logs.is_complete || with.log_hangs) std::_Exit(EXIT_SUCCESS);
}

}  // namespace server
