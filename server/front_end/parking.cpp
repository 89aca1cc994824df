// SPDX-License-Identifier: MIT
#include "server/front_end/parking.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "csp/alt.hpp"
#include "io/select_read.hpp"
#include "server/front_end/client_counts.hpp"
#include "server/front_end/proxies.hpp"

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

    /// All that wait for a request of which nothing has come.
    [[nodiscard]] std::vector<conn> leave_if_idle()
    {
        std::vector<conn> idle;
        for (std::uint64_t place = 0; place < all_.size(); ++place) {
            if (all_[place] && all_[place]->now == connection::phase::idle) idle.push_back(leave(place));
        }
        return idle;
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
    if (c.input.empty() || c.now == introduction) return verdict::wait;
    const auto length = c.scan.feed(c.input.text(), sizes);
    if (!length) {
        c.refused = length.error();
        return verdict::forward;
    }
    if (*length) {
        c.head_bytes = **length;
        return verdict::forward;
    }
    if (c.now == idle) {
        enter(c, head);
        c.progress = c.input.text().size();
    }
    return verdict::wait;
}

/// A head start, and from then on as long as the least rate is kept. What was sent fast is not saved up for a pause.
csp::time_point deadline_of_progress(const connection& c, std::chrono::milliseconds start, std::uint64_t least_rate)
{
    return std::min(c.since + start + std::chrono::milliseconds(c.progress * 1000 / least_rate),
                    csp::core::here().now() + start);
}

/// For a connection of which something has come this moment.
csp::time_point deadline_of(const connection& c, const patience& limits)
{
    using enum connection::phase;
    switch (c.now) {
        case idle:
            return c.since + limits.idle;
        case introduction:
        case head:
            return deadline_of_progress(c, limits.head, limits.least_rate);
        case body:
            return deadline_of_progress(c, limits.stall, limits.least_rate);
        case lingering:
            return c.since + limits.linger;
        case over:
            break;
    }
    std::unreachable();
}

/// What has become of a connection that was parked.
enum class news : std::uint8_t {
    more,          // of something has come, or a reason to refuse it
    introduced,    // and it is known now whose connection it is
    unintroduced,  // as it would have to be
    gone
};

news hear(connection& c, io::select_event event, const std::vector<proxy_rule>& proxies)
{
    using enum io::select_event::outcome;
    using enum connection::phase;
    if (event.what == closed) return news::gone;
    if (event.what == expired) {
        if (c.now != head) return c.now == introduction ? news::unintroduced : news::gone;
        c.refused = http::error{http::status::request_timeout,
                                "The request's head did not come within the time that the server waits for it."};
        return news::more;
    }
    c.progress += event.bytes.size();
    c.input.add(std::move(event.bytes));
    if (c.now != introduction) return news::more;
    const auto said = take_introduction(c, proxies);
    if (!said) return news::unintroduced;
    if (!*said) return news::more;
    enter(c, idle);
    return news::introduced;
}

constexpr std::chrono::milliseconds telling_pause{200};  // at most so long is a number known here alone
constexpr std::chrono::minutes saying_pause{1};          // between two lines about the same limit

/// How often a limit has bitten, and whether that is to be said in the log.
class limit {
  public:
    explicit limit(std::string_view text) : text_(text) {}

    /// A line if it is time for one.
    [[nodiscard]] std::optional<log_lines> bite(std::string_view client,
                                                std::optional<request_id> request = std::nullopt)
    {
        const csp::time_point now = csp::core::here().now();
        ++unsaid_;
        if (said_at_ && now < *said_at_ + saying_pause) return std::nullopt;
        said_at_ = now;
        return error_line(
            "warning",
            fmt::format("{} (now {}; {} since this was last said)", text_, client, std::exchange(unsaid_, 0)),
            request ? to_string(*request) : "");
    }

  private:
    std::string_view text_;
    std::uint64_t unsaid_ = 0;
    std::optional<csp::time_point> said_at_;
};

/// Who is in, by address, and what is to be told of those who are not let in.
class admission {
  public:
    explicit admission(client_limits limits) : counts_(limits) {}

    void obey(client_limits limits) { counts_.obey(limits); }

    enum class ruling : std::uint8_t { enter, refuse, drop };

    /// A proxy's connections are many clients', so nothing is said of their number.
    [[nodiscard]] ruling on_arrival(connection& c)
    {
        if (c.proxy) return ruling::enter;
        const bool has_room = counts_.enter(c.client);
        c.counts_as = has_room ? connection::standing::counted : connection::standing::turned_away;
        if (has_room) return ruling::enter;
        note(limit_kind::connections_per_address);
        return turned_away_ < most_turned_away ? ruling::refuse : ruling::drop;
    }
    /// It is told why: until it has gone, others might not be.
    void turn_away(connection& c)
    {
        ++turned_away_;
        c.refused = http::error{http::status::too_many_requests,
                                "Your address has more connections than one may (connections_per_address)."};
        c.retry_after = std::chrono::seconds(1);
    }
    /// Whether the next request may be answered.
    [[nodiscard]] bool on_request(connection& c)
    {
        if (c.counts_as == connection::standing::turned_away) return true;
        c.retry_after = counts_.ask(c.client);
        if (c.retry_after) note(limit_kind::requests_per_second);
        return !c.retry_after;
    }
    void on_leaving(const connection& c)
    {
        if (c.counts_as == connection::standing::counted) counts_.leave(c.client);
        if (c.counts_as == connection::standing::turned_away) --turned_away_;
    }

    [[nodiscard]] bool has_news() const { return news_; }
    [[nodiscard]] csp::time_point tell_at() const { return tell_at_; }
    [[nodiscard]] tally take_news()
    {
        news_ = false;
        return std::exchange(told_, {});
    }

  private:
    static constexpr std::size_t most_turned_away = 64;

    void note(limit_kind which)
    {
        ++told_.by(which);
        if (!std::exchange(news_, true)) tell_at_ = csp::core::here().now() + telling_pause;
    }

    client_counts counts_;
    std::size_t turned_away_ = 0;
    tally told_;
    bool news_ = false;
    csp::time_point tell_at_;
};

}  // namespace

csp::process parking(policy first, csp::in<policy> policies, csp::in<stop> stops, csp::in<conn> arrivals,
                     csp::in<conn> returned, csp::in<parking_question> questions, csp::out<conn> to_front_end,
                     csp::shared_out<log_lines> to_log, csp::buffered_out<tally> to_stats)
{
    frozen_policy present(std::move(first));
    io::select_read readable;
    places parked;
    admission admitted(present->clients);
    limit all_connections("[limits] connections: a core has all that it may, and others wait in the kernel's queue");
    limit of_one_address("[limits] connections_per_address: an address has all that it may, and others are refused");
    limit requests("[limits] requests_per_second_per_address: a request was refused with 429");
    limit introductions("[[proxy]] protocol: a connection that did not begin with a PROXY header was closed");
    std::size_t under_way = 0;  // forwarded, and not returned yet
    bool open = true;           // the acceptor still lives
    std::optional<stop::manner> ending;
    bool may_change = true;
    bool asked = true;  // somebody who may ask still lives
    bool was_full = false;
    parking_view seen;

    while (open || parked.taken() + under_way > 0) {
        conn c;
        bool is_known = false;  // whose it is, since this moment
        const bool room = open && parked.taken() + under_way < present->connections;
        if (open && !room && !was_full) ++seen.waits_for_room;
        was_full = open && !room;
        const csp::timeout pause = csp::at(admitted.tell_at());
        const auto chosen = co_await csp::fair_alt(
            csp::when(ending != stop::manner::now, stops), csp::when(may_change, policies), csp::when(room, arrivals),
            returned, csp::when(asked, questions), readable, csp::when(admitted.has_news(), pause));

        if (chosen == pause) {
            co_await to_stats.output(admitted.take_news());
            continue;
        }
        if (chosen == stops) {
            const auto order = co_await stops.input();
            ending = order ? order->how : stop::manner::now;
            if (ending == stop::manner::now) {
                for (const conn& idle : parked.leave_if_idle()) admitted.on_leaving(*idle);
            }
            continue;
        }
        if (chosen == policies) {
            auto next = co_await policies.input();
            may_change = next.has_value();
            if (!next) continue;
            present = frozen_policy(std::move(*next));
            admitted.obey(present->clients);
            continue;
        }
        if (chosen == questions) {
            auto question = co_await questions.input();
            asked = question.has_value();
            seen.parked = parked.taken();
            seen.under_way = under_way;
            seen.most = present->connections;
            seen.draining = ending.has_value();
            if (question) co_await question->answer.output(seen);
            continue;
        }
        if (chosen == arrivals) {
            auto arrived = co_await arrivals.input();
            open = arrived.has_value();
            if (!open) continue;
            c = std::move(*arrived);
            ++seen.accepted;
            enter(*c, connection::phase::idle);
            meet(*c, present->proxies);
            is_known = c->now == connection::phase::idle;
            if (parked.taken() + under_way + 1 == present->connections) {
                if (auto line = all_connections.bite(c->peer)) co_await to_log.output(std::move(*line));
            }
        } else if (chosen == returned) {
            auto back = co_await returned.input();
            if (!back) co_return;
            --under_way;
            if (!*back) continue;
            c = std::move(*back);
            if (c->now == connection::phase::over) {
                admitted.on_leaving(*c);
                continue;
            }
            enter(*c, c->now);
        } else {
            auto event = co_await readable.next();
            c = parked.leave(event.token);
            const news n = hear(*c, std::move(event), present->proxies);
            if (n == news::unintroduced) {
                if (auto line = introductions.bite(c->peer)) co_await to_log.output(std::move(*line));
            }
            if (n == news::gone || n == news::unintroduced) {
                admitted.on_leaving(*c);
                continue;
            }
            is_known = n == news::introduced;
        }

        if (is_known) {
            const auto ruling = admitted.on_arrival(*c);
            if (ruling != admission::ruling::enter) {
                if (auto line = of_one_address.bite(c->peer)) co_await to_log.output(std::move(*line));
                if (ruling == admission::ruling::drop) continue;
                admitted.turn_away(*c);
            }
        }

        const verdict v = c->refused ? verdict::forward : look(*c, present->limits);
        if (v == verdict::forward) {
            const speaker by = c->proxy ? name_client(*c, present->proxies) : speaker::client;
            if (by == speaker::client && !admitted.on_request(*c)) {
                if (auto line = requests.bite(c->peer, c->present_request())) co_await to_log.output(std::move(*line));
            }
            ++under_way;
            ++seen.requests;
            c->is_last = ending.has_value();
            c->by = present;
            if (!co_await to_front_end.output(std::move(c))) co_return;
        } else if (v == verdict::wait && !(ending == stop::manner::now && c->now == connection::phase::idle)) {
            c->input.shed_buffer();
            const csp::time_point deadline = deadline_of(*c, present->patience);
            io::socket& s = c->socket;
            readable.add(parked.take(std::move(c)), s, deadline);
        } else {
            admitted.on_leaving(*c);
        }
    }
    if (admitted.has_news()) co_await to_stats.output(admitted.take_news());
}

}  // namespace server
