// SPDX-License-Identifier: MIT
//
// The pictures of network.hpp in code. Only this file joins channels to processes, apart from processes that start
// helpers of their own.
#include "server/network.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#include "csp/bridge.hpp"
#include "csp/buffered_bridge.hpp"
#include "csp/forking.hpp"
#include "csp/par.hpp"
#include "csp/post_mortem.hpp"
#include "server/acceptor/acceptor.hpp"
#include "server/back_end/back_end.hpp"
#include "server/cache/cache_control.hpp"
#include "server/cache/cache_hash_request.hpp"
#include "server/cache/cache_hits.hpp"
#include "server/cache/cache_process.hpp"
#include "server/cgi_farm/cgi_desk.hpp"
#include "server/cgi_farm/cgi_farm.hpp"
#include "server/front_end/front_end_farm.hpp"
#include "server/front_end/parking.hpp"
#include "server/lifecycle/config.hpp"
#include "server/lifecycle/control.hpp"
#include "server/lifecycle/fault_watch.hpp"
#include "server/lifecycle/steward_watch.hpp"
#include "server/lifecycle/supervisor.hpp"
#include "server/lifecycle/upgrades.hpp"
#include "server/log/log.hpp"
#include "server/relay.hpp"
#include "server/static_farm/compressor.hpp"
#include "server/static_farm/etags.hpp"
#include "server/static_farm/static_farm.hpp"
#include "server/stats/stats.hpp"
#include "server/stats/stats_farm.hpp"
#include "server/stats/witness.hpp"

namespace server {

core_settings core_settings_of(const settings& s)
{
    return {
        .spare_workers = s.spare_workers, .descriptors = s.descriptors, .cache = s.cache, .log = access_log_of(s.log)};
}

csp::process hot_path(core_settings s, policy first, std::vector<listening> listeners, core_link link)
{
    csp::chan<conn> arrivals, front, returned;  // connections between requests
    csp::chan<exchange> plain, pages, done;     // requests on their way
    csp::chan<exchange> for_stats, for_cgi;
    csp::chan<looked_up> found;
    csp::chan<parking_question> how_busy;
    csp::chan<cache_question> what_is_kept;
    csp::chan<stop> no_more;
    csp::chan<log_lines> lines;

    co_await csp::par(
        acceptors(std::move(listeners), s.descriptors, std::move(link.addresses), std::move(link.stops),
                  arrivals.shared_tx(), no_more.tx(), lines.shared_tx()),
        parking(std::move(first), std::move(link.policies), no_more.rx(), arrivals.rx(), returned.rx(), how_busy.rx(),
                front.tx(), lines.shared_tx(), std::move(link.refused)),
        front_end_farm(s.spare_workers, front.shared_rx(), plain.shared_tx(), for_stats.shared_tx(),
                       for_cgi.shared_tx(), returned.shared_tx()),
        page_cache(s.cache, plain.rx(), found.rx(), what_is_kept.rx(), std::move(link.rooms), link.to_compressor,
                   pages.shared_tx(), done.shared_tx()),
        static_pages(s.spare_workers, pages.shared_rx(), found.shared_tx(), link.to_compressor, done.shared_tx()),
        cgi_farm(s.spare_workers, for_cgi.shared_rx(), {link.to_cgi_desk, lines.shared_tx(), plain.shared_tx()},
                 done.shared_tx()),
        stats_farm(
            for_stats.shared_rx(),
            {std::move(link.to_stats_desk), std::move(link.to_witnesses), how_busy.shared_tx(), link.to_cgi_desk},
            done.shared_tx()),
        back_end(s.log, std::move(link.formats), done.rx(), returned.shared_tx(), lines.shared_tx(),
                 std::move(link.answered)),
        witness(std::move(link.asked), how_busy.shared_tx(), what_is_kept.tx()),
        relay(lines.rx(), std::move(link.lines)));
}

csp::process static_pages(unsigned spare_workers, csp::shared_in<exchange> requests, csp::shared_out<looked_up> found,
                          csp::bridge_out<compression_job> to_compressor, csp::shared_out<exchange> to_back_end)
{
    constexpr std::size_t awaited_jobs_bytes = 4 * 1024 * 1024;
    csp::chan<etag_question> questions;
    csp::chan<compression_job> awaited;

    co_await csp::par(static_farm(spare_workers, std::move(requests), std::move(found), questions.shared_tx(),
                                  awaited.shared_tx(), std::move(to_back_end)),
                      etags({}, questions.rx()),
                      compression_desk(awaited_jobs_bytes, awaited.rx(), std::move(to_compressor)));
}

namespace {

/// Starts the cache processes. Returns the ends on which they get their work.
std::vector<csp::out<cache_work>> start_cache_processes(csp::forking& all, const cache_rules& rules,
                                                        const cache_process_links& to)
{
    std::vector<csp::out<cache_work>> to_each;
    for (slot_number slot = 0; slot < rules.cache_processes(); ++slot) {
        csp::chan<cache_work> work;
        to_each.push_back(work.tx());
        all.start(cache_process(slot, rules.freshness, work.rx(), to));
    }
    return to_each;
}

}  // namespace

csp::process page_cache(cache_rules rules, csp::in<exchange> requests, csp::in<looked_up> found,
                        csp::in<cache_question> questions, csp::in<cache_room> rooms,
                        csp::bridge_out<compression_job> to_compressor, csp::shared_out<exchange> to_static,
                        csp::shared_out<exchange> to_back_end)
{
    constexpr std::size_t waiting_jobs_bytes = 16 * 1024 * 1024;
    csp::chan<slot_number> hits;
    csp::chan<hits_question> how_many;
    csp::chan<recent_hits> so_many;
    csp::chan<change> changes;
    csp::chan<compression_job> jobs;
    csp::bridge<compressed> texts(csp::core::here());

    csp::forking cache_processes;
    auto to_each = start_cache_processes(
        cache_processes, rules, {hits.shared_tx(), jobs.shared_tx(), texts.tx(), to_static, std::move(to_back_end)});
    co_await csp::par(cache_hash_request(std::move(requests), changes.rx(), std::move(to_each), std::move(to_static)),
                      cache_hits(rules.cache_processes(), hits.rx(), how_many.rx(), so_many.tx()),
                      cache_control(rules, std::move(found), texts.rx(), std::move(questions), std::move(rooms),
                                    how_many.tx(), so_many.rx(), changes.tx()),
                      compression_desk(waiting_jobs_bytes, jobs.rx(), std::move(to_compressor)));
}

namespace {

/// The processes that the server has once, as a core reaches them.
struct central_links {
    csp::shared_out<log_lines> to_log;
    csp::shared_out<tally> to_stats;
    csp::bridge_out<figures_question> to_stats_desk;
    csp::bridge_out<compression_job> to_compressor;
    csp::bridge_out<place_order> to_cgi_desk;
};

/// The ends that lead to the cores: one of each kind for each core.
struct core_ends {
    std::vector<configured_core> to_configure;
    std::vector<csp::bridge_out<stop>> to_stop;
    std::vector<csp::bridge_out<core_question>> to_witnesses;
};

/// Makes all bridges of a core: adds the ends on this side to `to_cores`, starts the relays to the log and to stats,
/// and returns the ends on the core's side.
core_link connect_core(csp::core& core, core_ends& to_cores, const central_links& to, csp::forking& relays)
{
    constexpr std::size_t ahead = 64;  // batches of lines or figures that a core may be ahead of the log and of stats
    csp::core& here = csp::core::here();
    csp::bridge<freezable_policy> configured(core);
    csp::bridge<access_log> formats(core);
    csp::bridge<cache_room> rooms(core);
    csp::bridge<listening_change> addresses(core);
    csp::bridge<stop> stops(core);
    csp::bridge<core_question> asked(core);
    csp::buffered_bridge<log_lines> core_lines(here, ahead);
    csp::buffered_bridge<tally> answered(here, ahead);
    csp::buffered_bridge<tally> refused(here, ahead);

    relays.start(relay(core_lines.rx(), to.to_log));
    relays.start(relay(answered.rx(), to.to_stats));
    relays.start(relay(refused.rx(), to.to_stats));
    to_cores.to_configure.push_back({.parking = configured.tx(),
                                     .back_end = formats.tx(),
                                     .cache_control = rooms.tx(),
                                     .acceptors = addresses.tx()});
    to_cores.to_stop.push_back(stops.tx());
    to_cores.to_witnesses.push_back(asked.tx());
    return {.policies = configured.rx(),
            .formats = formats.rx(),
            .rooms = rooms.rx(),
            .addresses = addresses.rx(),
            .stops = stops.rx(),
            .asked = asked.rx(),
            .lines = core_lines.tx(),
            .answered = answered.tx(),
            .refused = refused.tx(),
            .to_compressor = to.to_compressor,
            .to_stats_desk = to.to_stats_desk,
            .to_cgi_desk = to.to_cgi_desk,
            .to_witnesses = {}};
}

/// Starts the hot path on every core.
core_ends start_cores(const core_settings& s, std::vector<policy> policies,
                      std::vector<std::vector<listening>> listeners, const central_links& to, csp::forking& cores)
{
    core_ends to_cores;
    std::vector<core_link> links;
    links.reserve(policies.size());
    for (unsigned i = 0; i < policies.size(); ++i) {
        links.push_back(connect_core(csp::core::here().sibling(i), to_cores, to, cores));
    }
    for (unsigned i = 0; i < policies.size(); ++i) {
        links[i].to_witnesses = to_cores.to_witnesses;
        cores.start_on(csp::core::here().sibling(i),
                       hot_path(s, std::move(policies[i]), std::move(listeners[i]), std::move(links[i])));
    }
    return to_cores;
}

/// The core for work that takes long. run_server() starts it beside those of the workers.
csp::core& workshop_of(const settings& s) { return csp::core::here().sibling(s.workers); }

/// Starts the processes of the workshop.
void start_workshop(csp::core& workshop, csp::in<compression_job> texts, core_ends& to_cores, csp::forking& cores)
{
    csp::bridge<core_question> of_workshop(workshop);
    cores.start_on(workshop, compressor(std::move(texts)));
    cores.start_on(workshop, workshop_witness(of_workshop.rx()));
    to_cores.to_witnesses.push_back(of_workshop.tx());  // after start_cores(): the statistics do not wait for it
}

/// The ends that join the operations to the rest of the server.
struct operations_link {
    core_ends to_cores;
    csp::in<fault> faults;
    csp::in<tally> totals;
    csp::in<log_end> logs_end;
    csp::out<log_order> to_logs;
    csp::bridge_out<log_change> log_changes;
    csp::shared_out<log_lines> to_log;
};

/// Ends that the supervisor keeps open. Closing one tells the process at its other end to end.
struct kept_open {
    std::vector<csp::out<stop>> while_serving;     // closed when the server begins to end
    std::vector<csp::shared_out<stop>> until_end;  // closed when the server has ended
};

/// Starts the processes of the control socket, if there is one.
void start_control(opened& o, csp::in<predecessor> predecessors, csp::shared_out<supervisor_order> orders,
                   const operations_link& link, kept_open& kept, csp::forking& all)
{
    if (!o.control_at) return;
    csp::chan<stop> over, ending;
    csp::chan<upgrade_request> upgrade_requests;
    kept.until_end.push_back(over.shared_tx());
    kept.while_serving.push_back(ending.tx());
    all.start(upgrades(o.command.program, o.control_at.path, upgrade_requests.rx(), ending.rx(),
                       {.steward = o.steward.line.another(), .to_supervisor = orders, .to_log = link.to_log}));
    all.start(control(std::move(o.control_at), over.rx(), std::move(predecessors),
                      {.to_witnesses = link.to_cores.to_witnesses,
                       .to_supervisor = std::move(orders),
                       .to_upgrades = upgrade_requests.shared_tx(),
                       .to_log = link.to_log}));
}

/// Starts the processes that monitor the server.
void start_watch(opened& o, operations_link& link, kept_open& kept, csp::forking& all)
{
    csp::chan<stop> not_needed;
    all.start(fault_watch(std::move(link.faults), not_needed.rx(), link.to_log, kept.until_end));
    kept.until_end.push_back(not_needed.shared_tx());
    csp::chan<stop> cores_ended;
    all.start(steward_watch(o.steward.process, std::move(o.steward.pidfd), cores_ended.rx(), link.to_log));
    kept.until_end.push_back(cores_ended.shared_tx());
    if (!o.watchdog) return;
    csp::chan<stop> over;
    kept.until_end.push_back(over.shared_tx());
    all.start(watchdog(std::move(*o.watchdog), over.rx(), link.to_cores.to_witnesses));
}

/// Starts config on the workshop: opening roots and logs may take long.
config_link start_config(settings s, own_command command, steward_line steward, operations_link& link,
                         csp::forking& all)
{
    csp::core& workshop = workshop_of(s);
    csp::bridge<reload_request> reloads(workshop);
    csp::bridge<stop> reloads_end(workshop);
    all.start_on(workshop, config(std::move(s), std::move(command), std::move(steward), reloads.rx(), reloads_end.rx(),
                                  std::move(link.to_cores.to_configure), std::move(link.log_changes)));
    return {.reloads = reloads.tx(), .ending = reloads_end.tx()};
}

supervisor_setup setup_of(const settings& s, opened& o)
{
    return {
        .configured = {s.patience.grace, what_is_served(s), {.opened = std::move(o.spare), .closed = {}}},
        .engine = std::move(o.engine),
        .sandbox = std::move(o.sandbox),
        .first_lines = std::move(o.first_lines),
        .signals = std::move(o.signals),
        .manager = std::move(o.manager),
        .steward = std::move(o.steward.line),
        .old_server = std::move(o.old_server),
        .addresses = o.command.addresses,
    };
}

/// Configures, monitors and ends the server:
///
///                     upgrades <-upgrade_requests-- control
///                        |                             |
///                        +---------- orders -----------+
///                                      v
///   signals, totals, logs_end --> supervisor -reloads-> config ==> every core; log_changes
///                                      |
///                                      +==> every core (stops); to_logs
///
/// Beside them, fault_watch, steward_watch and watchdog monitor. The supervisor, config and the attempts of upgrades
/// ask the steward, which is no process of this network but one of the operating system (server/sandbox/steward.hpp).
csp::process operations(settings s, opened o, operations_link link)
{
    csp::chan<supervisor_order> orders;
    csp::chan<predecessor> predecessors;
    kept_open kept;
    csp::forking all;

    start_control(o, predecessors.rx(), orders.shared_tx(), link, kept, all);
    start_watch(o, link, kept, all);
    config_link to_config = start_config(s, std::move(o.command), o.steward.line.another(), link, all);
    supervisor_setup setup = setup_of(s, o);
    all.start(supervisor(std::move(setup), {.orders = orders.rx(),
                                            .totals = std::move(link.totals),
                                            .logs_end = std::move(link.logs_end),
                                            .to_config = std::move(to_config),
                                            .to_logs = std::move(link.to_logs),
                                            .to_cores = std::move(link.to_cores.to_stop),
                                            .to_witnesses = std::move(link.to_cores.to_witnesses),
                                            .to_log = std::move(link.to_log),
                                            .to_control = predecessors.tx(),
                                            .while_serving = std::move(kept.while_serving),
                                            .until_end = std::move(kept.until_end)}));
    co_await all.join();
}

/// The whole server without the process that learns of faults.
csp::process whole_network(settings s, opened o, csp::in<fault> faults)
{
    csp::chan<log_lines> lines;
    csp::chan<tally> told, totals;
    csp::chan<log_order> log_orders;
    csp::chan<log_end> logs_end;
    csp::bridge<log_change> log_changes(csp::core::here());
    csp::bridge<figures_question> so_far(csp::core::here());
    csp::bridge<place_order> places(csp::core::here());
    csp::bridge<compression_job> texts(workshop_of(s));

    csp::forking cores;
    core_ends to_cores = start_cores(core_settings_of(s), std::move(o.policies), std::move(o.listeners),
                                     {.to_log = lines.shared_tx(),
                                      .to_stats = told.shared_tx(),
                                      .to_stats_desk = so_far.tx(),
                                      .to_compressor = texts.tx(),
                                      .to_cgi_desk = places.tx()},
                                     cores);
    start_workshop(workshop_of(s), texts.rx(), to_cores, cores);

    log_files logs = std::move(o.logs);  // before all of `o` is moved: arguments are evaluated in any order
    co_await csp::par(log(std::move(logs), lines.rx(), log_orders.rx(), log_changes.rx(), logs_end.tx()),
                      stats(told.rx(), so_far.rx(), totals.tx()), cgi_desk(places.rx()),
                      operations(std::move(s), std::move(o),
                                 {.to_cores = std::move(to_cores),
                                  .faults = std::move(faults),
                                  .totals = totals.rx(),
                                  .logs_end = logs_end.rx(),
                                  .to_logs = log_orders.tx(),
                                  .log_changes = log_changes.tx(),
                                  .to_log = lines.shared_tx()}));
    co_await cores.join();
}

}  // namespace

csp::process web_server(settings s, opened o)
{
    csp::chan<fault> faults;
    csp::forking all(csp::faults::heard);
    all.start(whole_network(std::move(s), std::move(o), faults.rx()));
    csp::out<fault> to_fault_watch = faults.tx();
    const auto end = co_await all.until_fault();
    if (end.first_fault != nullptr) {
        fault first{std::string(csp::plain_name(end.first_fault))};
        if (!co_await to_fault_watch.output(std::move(first)))
            throw std::runtime_error("a fault could not be reported: fault_watch has ended");
    }
    co_await all.join();
}

}  // namespace server
