// SPDX-License-Identifier: MIT
#include "server/acceptor/acceptor.hpp"

#include <memory>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"

namespace server {
namespace {

conn make_connection(io::socket s, connection_id id)
{
    auto c = std::make_unique<connection>(std::move(s), id);
    // Asked now: of a client that has left there is no address any more, and just that one an operator looks for.
    const auto address = io::peer(c->socket);
    c->peer = address ? address->host() : "-";
    if (address) c->client.bytes = address->ip();
    return c;
}

}  // namespace

csp::process acceptor(io::listener from, csp::in<stop> stops, csp::shared_out<conn> to_parking,
                      csp::shared_out<log_lines> to_log)
{
    bool complained = false;  // once for a row of errors: they come several times a second
    connection_ids ids;
    io::acceptor connections(std::move(from));
    for (;;) {
        const auto chosen = co_await csp::pri_alt(stops, connections);
        if (chosen == stops) break;

        auto accepted = co_await connections.next();
        if (!accepted && accepted.error().closed()) co_return;
        if (!accepted) {
            // No descriptor or memory left. The engine pauses before it tries again; the client waits in the kernel.
            if (!std::exchange(complained, true)) {
                co_await to_log.output(
                    error_line("error", fmt::format("a connection could not be accepted: {}", accepted.error().text)));
            }
            continue;
        }
        complained = false;
        if (!co_await to_parking.output(make_connection(std::move(*accepted), ids.next()))) co_return;
    }
    // Those whom the kernel has accepted for us already are ours to answer.
    connections.finish();
    for (;;) {
        auto accepted = co_await connections.next();
        if (!accepted && accepted.error().closed()) co_return;
        if (accepted && !co_await to_parking.output(make_connection(std::move(*accepted), ids.next()))) co_return;
    }
}

csp::process acceptors(std::vector<io::listener> from, csp::in<stop> stops, csp::shared_out<conn> to_parking,
                       csp::out<stop> stop_parking, csp::shared_out<log_lines> to_log)
{
    csp::forking each;
    std::vector<csp::out<stop>> to_each;
    for (io::listener& l : from) {
        csp::chan<stop> link;
        to_each.push_back(link.tx());
        each.start(acceptor(std::move(l), link.rx(), to_parking, to_log));
    }
    auto order = co_await stops.input();
    for (auto& to_acceptor : to_each) co_await to_acceptor.output({});
    co_await each.join();
    {
        const auto closed = std::move(to_parking);
    }  // parking learns that nobody comes any more
    for (; order; order = co_await stops.input()) co_await stop_parking.output(*order);
}

}  // namespace server
