// SPDX-License-Identifier: MIT
#include "server/acceptor/acceptor.hpp"

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "csp/forking.hpp"
#include "server/messages/once_a_minute.hpp"
#include "server/messages/stop.hpp"

namespace server {
namespace {

conn make_connection(io::socket s, connection_id id)
{
    auto c = std::make_unique<connection>(std::move(s), id);
    // Now, because the kernel forgets the address when the client leaves, and the log should show such a client too.
    const auto address = io::peer(c->socket);
    c->client.text = address ? address->host() : "-";
    if (address) c->client.address.bytes = address->ip();
    return c;
}

/// Null if there is no memory. Then this client's connection is closed; there may be memory for the next one.
conn try_to_make_connection(io::socket s, connection_id id)
{
    conn c;
    csp::attempt([&] { c = make_connection(std::move(s), id); });
    return c;
}

/// Counts errors of accept(2), and reports them once a minute.
class complaints {
  public:
    /// A line for the log, if one is due. If there is no memory for it, the next line counts this error too.
    [[nodiscard]] std::optional<log_lines> note(const io::error& why)
    {
        lines_.note();
        std::optional<log_lines> line;
        if (!lines_.is_due()) return line;
        csp::attempt([&] {
            line = error_line("error",
                              fmt::format("a connection could not be accepted: {} ({} since the last such message)",
                                          why.text, lines_.unsaid()));
            lines_.said();
        });
        return line;
    }

  private:
    once_a_minute lines_;
};

/// Why an acceptor accepts no more connections. by_itself: its listener has failed, or parking has ended.
enum class finished : std::uint8_t { by_itself, address_removed, server_ends };

bool is_lack_of_descriptors(const io::error& e) { return e.number == EMFILE || e.number == ENFILE; }

/// A listener, with what its acceptor needs to hand the connections on.
class accepting {
  public:
    accepting(io::listener from, descriptors how_many, csp::shared_out<conn> to_parking,
              csp::shared_out<log_lines> to_log)
        : connections_(std::move(from), how_many == descriptors::plentiful ? io::acceptor::in_advance::many
                                                                           : io::acceptor::in_advance::one),
          to_parking_(std::move(to_parking)),
          to_log_(std::move(to_log))
    {
    }

    csp::step<finished> accept_until(csp::in<stop>& removed, csp::in<stop>& server_ends)
    {
        for (;;) {
            const auto chosen = co_await csp::pri_alt(removed, server_ends, connections_);
            if (chosen == removed) co_return finished::address_removed;
            if (chosen == server_ends) co_return finished::server_ends;

            auto accepted = co_await connections_.next();
            if (!accepted && accepted.error().closed()) co_return finished::by_itself;
            if (!accepted) {
                if (!co_await report(accepted.error())) co_return finished::by_itself;
                continue;
            }
            conn c = try_to_make_connection(std::move(*accepted), ids_.next());
            if (c && !co_await to_parking_.output(std::move(c))) co_return finished::by_itself;
        }
    }
    /// The clients that the kernel has already accepted for this server must be answered. When the server ends, a
    /// successor may share the socket and takes those that still wait; when only the address is removed, there is none.
    csp::step<void> accept_last(finished why)
    {
        using enum io::acceptor::last_clients;
        connections_.finish(why == finished::server_ends ? left : taken);
        for (;;) {
            auto accepted = co_await connections_.next();
            if (!accepted && accepted.error().closed()) co_return;
            conn c = accepted ? try_to_make_connection(std::move(*accepted), ids_.next()) : nullptr;
            if (c && !co_await to_parking_.output(std::move(c))) co_return;
        }
    }

  private:
    /// Returns whether parking still takes connections. The engine pauses before it tries again; the client waits in
    /// the kernel.
    csp::step<bool> report(const io::error& why)
    {
        if (auto line = errors_.note(why)) co_await to_log_.output(std::move(*line));
        co_return !is_lack_of_descriptors(why) || co_await to_parking_.output(nullptr);
    }

    io::acceptor connections_;
    csp::shared_out<conn> to_parking_;
    csp::shared_out<log_lines> to_log_;
    connection_ids ids_;
    complaints errors_;
};

/// An address, and the ends that tell its acceptor to end. They are closed and never written, since an acceptor may
/// wait for parking and would not take a message.
struct served_address {
    std::string address;
    csp::out<stop> until_removed;
    csp::out<stop> until_server_ends;
};

}  // namespace

csp::process acceptor(io::listener from, descriptors how_many, csp::in<stop> removed, csp::in<stop> server_ends,
                      [[maybe_unused]] csp::shared_out<stop> until_left, csp::shared_out<conn> to_parking,
                      csp::shared_out<log_lines> to_log)
{
    accepting address(std::move(from), how_many, std::move(to_parking), std::move(to_log));
    const finished why = co_await address.accept_until(removed, server_ends);
    if (why != finished::by_itself) co_await address.accept_last(why);
}

csp::process acceptors(std::vector<listening> from, descriptors how_many, csp::in<listening_change> changes,
                       csp::in<stop> stops, csp::shared_out<conn> to_parking, csp::out<stop> stop_parking,
                       csp::shared_out<log_lines> to_log)
{
    constexpr std::chrono::seconds head_start{1};
    csp::forking each;
    std::vector<served_address> served;
    csp::chan<stop> left;
    csp::in<stop> all_left = left.rx();
    std::optional until_left = left.shared_tx();
    const auto serve = [&](std::vector<listening> sockets) {
        for (listening& l : sockets) {
            csp::chan<stop> removed, server_ends;
            served.push_back({std::move(l.address), removed.tx(), server_ends.tx()});
            each.start(acceptor(std::move(l.socket), how_many, removed.rx(), server_ends.rx(), *until_left, to_parking,
                                to_log));
        }
    };
    serve(std::move(from));
    while (co_await csp::pri_alt(stops, csp::while_open(changes)) != stops) {
        auto change = co_await changes.input();
        serve(std::move(change->opened));
        std::erase_if(served, [&](const served_address& s) { return change->closes(s.address); });
    }
    auto order = co_await stops.input();
    until_left.reset();
    for (auto& one : served) one.until_server_ends = {};
    // First the connections that the kernel has accepted already, but only as long as parking has room for them.
    const csp::timeout head_start_over = csp::after(head_start);
    co_await csp::pri_alt(all_left, stops, head_start_over);
    {
        const auto closed = std::move(to_parking);
    }
    for (; order; order = co_await stops.input()) co_await stop_parking.output(*order);
}

}  // namespace server
