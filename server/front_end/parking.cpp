// SPDX-License-Identifier: MIT
#include "server/front_end/parking.hpp"

#include <cstdint>
#include <utility>
#include <vector>

#include "csp/alt.hpp"
#include "io/select_read.hpp"

namespace server {
namespace {

/// The parked connections, each under a number by which the select set knows it.
class places {
  public:
    std::uint64_t take(conn c)
    {
        ++taken_;
        if (free_.empty()) {
            all_.push_back(std::move(c));
            return all_.size() - 1;
        }
        const std::uint64_t place = free_.back();
        free_.pop_back();
        all_[place] = std::move(c);
        return place;
    }
    conn leave(std::uint64_t place)
    {
        --taken_;
        free_.push_back(place);
        return std::move(all_[place]);
    }
    [[nodiscard]] std::size_t taken() const { return taken_; }

    /// Closes all that wait for a request of which nothing has come.
    void clear_idle()
    {
        for (std::uint64_t place = 0; place < all_.size(); ++place) {
            if (all_[place] && all_[place]->now == connection::phase::idle) leave(place).reset();
        }
    }

  private:
    std::vector<conn> all_;
    std::vector<std::uint64_t> free_;
    std::size_t taken_ = 0;
};

/// What a look at a connection's input leads to.
enum class verdict : std::uint8_t { wait, forward, drop };

void enter(connection& c, connection::phase p)
{
    c.now = p;
    c.since = csp::core::here().now();
    c.progress = 0;
}

/// Throws away what belongs to the body that is being skipped. Yields whether that is over.
std::expected<bool, http::error> skip_body(connection& c, const http::limits& sizes)
{
    if (auto* bytes = std::get_if<std::uint64_t>(&c.skipping)) {
        const std::uint64_t here = std::min<std::uint64_t>(*bytes, c.input.text().size());
        c.input.consume(here);
        *bytes -= here;
        return *bytes == 0;
    }
    auto& chunks = std::get<http::chunked_decoder>(c.skipping);
    while (!c.input.empty()) {
        const auto piece = chunks.feed(c.input.text(), sizes);
        if (!piece) return std::unexpected(piece.error());
        c.input.consume(piece->consumed);
        if (piece->done) return true;
    }
    return false;
}

/// Nothing more is said on this connection, and what still comes is thrown away.
verdict start_lingering(connection& c)
{
    if (!io::shutdown_write(c.socket)) return verdict::drop;
    enter(c, connection::phase::lingering);
    c.input = {};
    return verdict::wait;
}

verdict look(connection& c, const http::limits& sizes)
{
    using enum connection::phase;
    if (c.now == lingering) {
        c.input = {};
        return verdict::wait;
    }
    if (c.now == body) {
        const auto over = skip_body(c, sizes);
        // The answer has been sent already, so a broken body can only be met by closing: not at once, or what the
        // client has not read of the answer might be lost (RFC 9112 section 9.6).
        if (!over) return start_lingering(c);
        if (!*over) return verdict::wait;
        enter(c, idle);
    }
    if (c.input.empty()) return verdict::wait;
    const auto length = c.scan.feed(c.input.text(), sizes);
    if (!length) {
        c.refused = length.error();
        return verdict::forward;
    }
    if (*length) {
        c.head_bytes = **length;
        return verdict::forward;
    }
    if (c.now == idle) enter(c, head);
    return verdict::wait;
}

csp::time_point deadline_of(const connection& c, const patience& limits)
{
    using enum connection::phase;
    switch (c.now) {
        case idle:
            return c.since + limits.idle;
        case head:
            return c.since + limits.head;
        case body:
            return c.since + limits.stall + std::chrono::milliseconds(c.progress * 1000 / limits.least_rate);
        case lingering:
            return c.since + limits.linger;
    }
    std::unreachable();
}

}  // namespace

csp::process parking(patience limits, http::limits sizes, std::size_t most_connections, csp::in<stop> stops,
                     csp::in<conn> arrivals, csp::in<conn> returned, csp::out<conn> to_front_end,
                     csp::in<count_question> asked, csp::out<head_count> told)
{
    io::select_read readable;
    places parked;
    std::size_t under_way = 0;  // forwarded, and not returned yet
    bool open = true;           // the acceptor still lives
    bool may_be_asked = true;
    std::uint64_t requests = 0;
    std::optional<stop::manner> ending;

    while (open || parked.taken() + under_way > 0) {
        conn c;
        const bool room = open && parked.taken() + under_way < most_connections;
        const auto chosen =
            co_await csp::fair_alt(csp::when(ending != stop::manner::now, stops), csp::when(room, arrivals), returned,
                                   readable, csp::when(may_be_asked, asked));

        if (chosen == stops) {
            const auto order = co_await stops.input();
            ending = order ? order->how : stop::manner::now;
            if (ending == stop::manner::now) parked.clear_idle();
            continue;
        }
        if (chosen == asked) {
            may_be_asked = (co_await asked.input()).has_value();
            if (may_be_asked) co_await told.output({parked.taken() + under_way, under_way, requests});
            continue;
        }
        if (chosen == arrivals) {
            auto arrived = co_await arrivals.input();
            open = arrived.has_value();
            if (!open) continue;
            c = std::move(*arrived);
            enter(*c, connection::phase::idle);
        } else if (chosen == returned) {
            auto back = co_await returned.input();
            if (!back) co_return;
            --under_way;
            if (!*back) continue;
            c = std::move(*back);
            enter(*c, c->now);
        } else {
            auto event = co_await readable.next();
            c = parked.leave(event.token);
            if (event.what == io::select_event::outcome::closed) continue;
            if (event.what == io::select_event::outcome::expired) {
                if (c->now != connection::phase::head) continue;
                c->refused =
                    http::error{http::status::request_timeout,
                                "The request's head did not come within the time that the server waits for it."};
            } else {
                c->progress += event.bytes.size();
                c->input.add(std::move(event.bytes));
            }
        }

        const verdict v = c->refused ? verdict::forward : look(*c, sizes);
        if (v == verdict::forward) {
            ++under_way;
            ++requests;
            c->is_last = ending.has_value();
            if (!co_await to_front_end.output(std::move(c))) co_return;
        } else if (v == verdict::wait && !(ending == stop::manner::now && c->now == connection::phase::idle)) {
            c->input.shed_buffer();
            const csp::time_point deadline = deadline_of(*c, limits);
            io::socket& s = c->socket;
            readable.add(parked.take(std::move(c)), s, deadline);
        }
    }
}

}  // namespace server
