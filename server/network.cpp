// SPDX-License-Identifier: MIT
//
// The picture of the server. Channels are the arrows; par() is the picture. Only this file joins channels to processes,
// apart from processes that start helpers of their own.
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
#include "server/front_end/front_end_farm.hpp"
#include "server/front_end/parking.hpp"
#include "server/lifecycle/config.hpp"
#include "server/lifecycle/control.hpp"
#include "server/lifecycle/fault_watch.hpp"
#include "server/lifecycle/supervisor.hpp"
#include "server/lifecycle/upgrades.hpp"
#include "server/relay.hpp"
#include "server/static_farm/etags.hpp"
#include "server/static_farm/static_farm.hpp"
#include "server/stats/stats.hpp"
#include "server/stats/stats_farm.hpp"
#include "server/stats/witness.hpp"

namespace server {
namespace {

/// The cache processes. Yields what each is sent its work along.
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

csp::process hot_path(settings s, policy first, std::vector<listening> listeners, observers_link link)
{
    csp::chan<conn> arrivals, front, returned;  // connections between requests
    csp::chan<exchange> plain, pages, done;     // requests on their way
    csp::chan<exchange> for_stats;
    csp::chan<parking_question> how_many;
    csp::chan<cache_question> what_is_kept;
    csp::chan<looked_up> found;
    csp::chan<etag_question> questions;
    csp::chan<compression_job> awaited;
    csp::chan<stop> no_more;
    csp::chan<log_lines> lines;
    constexpr std::size_t awaited_jobs_bytes = 4 * 1024 * 1024;  // of clients that wait, in turn
    auto another = link.to_compressor;

    co_await csp::par(acceptors(std::move(listeners), s.descriptors, std::move(link.addresses), std::move(link.stops),
                                arrivals.shared_tx(), no_more.tx(), lines.shared_tx()),
                      parking(std::move(first), std::move(link.policies), no_more.rx(), arrivals.rx(), returned.rx(),
                              how_many.rx(), front.tx(), lines.shared_tx(), std::move(link.refused_to_stats)),
                      front_end_farm(s.spare_workers, front.shared_rx(), plain.shared_tx(), for_stats.shared_tx(),
                                     returned.shared_tx()),
                      stats_farm(for_stats.shared_rx(),
                                 {std::move(link.to_stats_desk), std::move(link.to_witnesses), how_many.shared_tx()},
                                 done.shared_tx()),
                      witness(std::move(link.asked), how_many.shared_tx(), what_is_kept.tx()),
                      page_cache(s.cache, plain.rx(), found.rx(), what_is_kept.rx(), std::move(link.rooms),
                                 std::move(link.to_compressor), pages.shared_tx(), done.shared_tx()),
                      static_farm(s.spare_workers, pages.shared_rx(), found.shared_tx(), questions.shared_tx(),
                                  awaited.shared_tx(), done.shared_tx()),
                      compression_desk(awaited_jobs_bytes, awaited.rx(), std::move(another)), etags({}, questions.rx()),
                      back_end(access_log_of(s.log), std::move(link.formats), done.rx(), returned.shared_tx(),
                               lines.shared_tx(), std::move(link.to_stats)),
                      relay(lines.rx(), std::move(link.to_log)));
}

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

/// The hot path on every core, and the observers.
csp::process whole_network(settings s, opened o, csp::in<fault> faults)
{
    constexpr std::size_t batches = 64;  // of lines or figures that a core may be ahead of the observers
    csp::core& first = csp::core::here();

    csp::chan<log_lines> lines;
    csp::chan<tally> hits, totals;
    csp::chan<log_order> log_orders;
    csp::chan<log_end> logs_end;
    csp::chan<supervisor_order> orders;
    csp::bridge<figures_question> so_far(first);
    csp::forking cores;
    csp::core& workshop = first.sibling(static_cast<unsigned>(o.listeners.size()));  // for what takes a processor long
    csp::bridge<compression_job> texts(workshop);
    csp::bridge<core_question> of_workshop(workshop);
    csp::bridge<reload_request> reloads(workshop);
    csp::bridge<stop> reloads_end(workshop);
    csp::bridge<log_change> log_changes(first);
    cores.start_on(workshop, compressor(texts.rx()));
    cores.start_on(workshop, lone_witness(of_workshop.rx()));

    std::vector<csp::in<core_question>> asked;
    std::vector<csp::bridge_out<core_question>> to_witnesses;
    for (unsigned i = 0; i < o.listeners.size(); ++i) {
        csp::bridge<core_question> questions(first.sibling(i));
        asked.push_back(questions.rx());
        to_witnesses.push_back(questions.tx());
    }
    std::vector<configured_core> to_configure;
    std::vector<csp::bridge_out<stop>> to_stop;
    for (unsigned i = 0; i < o.listeners.size(); ++i) {
        csp::core& core = first.sibling(i);
        csp::bridge<policy> configured(core);
        csp::bridge<access_log> formats(core);
        csp::bridge<cache_room> rooms(core);
        csp::bridge<listening_change> addresses(core);
        csp::bridge<stop> stops(core);
        csp::buffered_bridge<log_lines> core_lines(first, batches);
        csp::buffered_bridge<tally> core_hits(first, batches);
        csp::buffered_bridge<tally> core_refused(first, batches);
        to_configure.push_back({configured.tx(), formats.tx(), rooms.tx(), addresses.tx()});
        to_stop.push_back(stops.tx());
        cores.start(relay(core_lines.rx(), lines.shared_tx()));
        cores.start(relay(core_hits.rx(), hits.shared_tx()));
        cores.start(relay(core_refused.rx(), hits.shared_tx()));
        cores.start_on(core, hot_path(s, std::move(o.policies[i]), std::move(o.listeners[i]),
                                      {configured.rx(), formats.rx(), rooms.rx(), addresses.rx(), stops.rx(),
                                       core_lines.tx(), core_hits.tx(), core_refused.tx(), texts.tx(),
                                       std::move(asked[i]), so_far.tx(), to_witnesses}));
    }
    to_witnesses.push_back(of_workshop.tx());  // not for the statistics: it may be busy for a second

    std::vector<csp::shared_out<stop>> until_end;  // closed when the server ends: to processes that end then
    std::vector<csp::out<stop>> while_serving;     // closed when the end of the server begins
    csp::chan<predecessor> predecessors;
    if (o.control_at) {
        csp::chan<stop> over, ending;
        csp::chan<upgrade_request> upgrade_requests;
        until_end.push_back(over.shared_tx());
        while_serving.push_back(ending.tx());
        cores.start(upgrades(o.command, o.control_at.path, upgrade_requests.rx(), ending.rx(),
                             {orders.shared_tx(), lines.shared_tx()}));
        cores.start(control(std::move(o.control_at), over.rx(), predecessors.rx(),
                            {to_witnesses, orders.shared_tx(), upgrade_requests.shared_tx(), lines.shared_tx()}));
    } else {
        (void)predecessors.rx();  // nobody waits for one
    }
    csp::chan<stop> not_needed;
    cores.start(fault_watch(std::move(faults), not_needed.rx(), lines.shared_tx(), until_end));
    until_end.push_back(not_needed.shared_tx());
    if (o.watchdog) {
        csp::chan<stop> over;
        until_end.push_back(over.shared_tx());
        cores.start(watchdog(std::move(*o.watchdog), over.rx(), to_witnesses));
    }
    supervised configured{s.patience.grace, what_is_served(s), {.opened = std::move(o.spare), .closed = {}}};
    cores.start_on(workshop, config(std::move(s), std::move(o.command.arguments), o.command.addresses, reloads.rx(),
                                    reloads_end.rx(), std::move(to_configure), log_changes.tx()));
    co_await csp::par(
        log(std::move(o.logs), lines.rx(), log_orders.rx(), log_changes.rx(), logs_end.tx()),
        stats(hits.rx(), so_far.rx(), totals.tx()),
        supervisor({std::move(configured), std::move(o.engine), std::move(o.first_lines), std::move(o.signals),
                    std::move(o.manager), std::move(o.before_us), o.command.addresses},
                   orders.rx(), totals.rx(), logs_end.rx(), {reloads.tx(), reloads_end.tx()}, log_orders.tx(),
                   std::move(to_stop), std::move(to_witnesses), lines.shared_tx(), predecessors.tx(),
                   std::move(while_serving), std::move(until_end)));
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
        if (!co_await to_fault_watch.output(std::move(first))) throw std::runtime_error("nobody heard of a fault");
    }
    co_await all.join();
}

}  // namespace server
