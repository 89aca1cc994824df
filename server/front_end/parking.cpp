// SPDX-License-Identifier: MIT
#include "server/front_end/parking.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "csp/alt.hpp"
#include "io/select_read.hpp"
#include "server/front_end/admission.hpp"
#include "server/front_end/proxies.hpp"
#include "server/messages/stop.hpp"

namespace server {

// How parking works.
//
// Every connection of the core is in one of three states. It is parked, and parking owns it; or it is under way, and
// another process owns it, so parking only counts it; or it is the current connection, `c`, of this round of the
// loop.
//
// In each round the process selects one input. A new connection, a connection that came back, or an event of the select
// set (input, a deadline, an end) makes a connection the current one. look_at() then reads what has arrived and
// decides: park it with the deadline of its phase, forward it to the front end, or close it.
//
// `places` owns the parked connections. The index of a connection's place is its token in the select set. For the case
// that the core is full, each parked connection is also in one of two queues, `idle` or `unfinished`, ordered by the
// time at which it joined; so the one to close is at the front. An event takes a connection out of its place ("lifts"
// it) but reserves the place and its position in the queue until look_at() has decided. If the connection still waits
// for the same thing, it gets both back: a client cannot put off its turn by sending a byte now and then.
//
// Parking takes from `arrivals` while parked and under-way connections together are fewer than the limit, or while the
// front of a queue has waited long enough to be closed. Otherwise new clients wait in the kernel's accept queue, and a
// timeout wakes the loop when the front of a queue becomes old enough.
//
// The functions of parking_state are not coroutines and never output. What they have to report to the log and to the
// statistics collects in `admission`, and the loop outputs it at the end of the round.

namespace {

/// What a parked connection waits for. This decides which one is closed when the core is full.
enum class waiting : std::uint8_t {
    idle,       // for the first byte of a request: no client loses anything when it is closed
    unfinished  // for the rest of something
};

waiting waits_for(const connection& c)
{
    const bool has_not_begun =
        c.is<connection::idle>() || (c.is<connection::reading_proxy_header>() && c.received == 0);
    return has_not_begun ? waiting::idle : waiting::unfinished;
}

/// The parked connections and the two queues; see the top of this file.
class places {
  public:
    /// Stores `c` and returns its place. Throws std::bad_alloc without memory for it; `c` is then unchanged.
    std::uint64_t take(conn& c)
    {
        if (lifted_ && waits_as_before(*c)) return put_back(c);
        release();
        const waiting row = waits_for(*c);
        if (free_.empty()) {
            links_.resize(all_.size() + 1 + heads);
            all_.emplace_back();
            free_.reserve(all_.capacity());  // leaving must not fail
            free_.push_back(all_.size() - 1);
        }
        const std::uint64_t place = free_.back();
        free_.pop_back();
        all_[place] = std::move(c);
        ++taken_;
        put_last(link_of(place), row);
        return place;
    }
    conn leave(std::uint64_t place)
    {
        conn c = lift(place);
        release();
        return c;
    }
    /// Takes the connection out and reserves its place and position until take() or release().
    conn lift(std::uint64_t place)
    {
        lifted_ = {place, waits_for(*all_[place])};
        --taken_;
        return std::move(all_[place]);
    }
    /// Gives up the place and the position of the lifted connection, if there is one.
    void release()
    {
        if (!lifted_) return;
        unlink(link_of(lifted_->place));
        free_.push_back(lifted_->place);
        lifted_.reset();
    }
    [[nodiscard]] std::size_t taken() const { return taken_; }

    /// The place at the front of the queue, if it is not empty. REQUIRES: no connection is lifted.
    [[nodiscard]] std::optional<std::uint64_t> first(waiting row) const
    {
        const link_number l = links_[head_of(row)].next;
        return l < heads ? std::nullopt : std::optional<std::uint64_t>(l - heads);
    }
    [[nodiscard]] const connection& at(std::uint64_t place) const { return *all_[place]; }
    /// When it joined its queue.
    [[nodiscard]] csp::time_point queued_since(std::uint64_t place) const { return links_[link_of(place)].since; }
    [[nodiscard]] bool was_spared(std::uint64_t place) const { return links_[link_of(place)].was_spared; }
    /// Moves it to the end of its queue.
    void spare(std::uint64_t place)
    {
        unlink(link_of(place));
        put_last(link_of(place), waits_for(*all_[place]));
        links_[link_of(place)].was_spared = true;
    }

    [[nodiscard]] std::uint64_t size() const { return all_.size(); }
    /// Whether the place has a connection that waits for the first byte of a request.
    [[nodiscard]] bool is_idle(std::uint64_t place) const { return all_[place] && all_[place]->is<connection::idle>(); }

  private:
    /// The queues are circular lists of links: first the two heads, then one link for each place.
    using link_number = std::uint32_t;
    struct link {
        link_number previous = 0;
        link_number next = 0;
        csp::time_point since{};
        bool was_spared = false;
    };
    static constexpr link_number heads = 2;
    struct lifted {
        std::uint64_t place;
        waiting row;
    };

    [[nodiscard]] static link_number head_of(waiting row) { return static_cast<link_number>(row); }
    [[nodiscard]] static link_number link_of(std::uint64_t place) { return static_cast<link_number>(place) + heads; }
    [[nodiscard]] bool waits_as_before(const connection& c) const
    {
        return waits_for(c) == lifted_->row && c.since <= queued_since(lifted_->place);
    }
    std::uint64_t put_back(conn& c)
    {
        const std::uint64_t place = lifted_->place;
        all_[place] = std::move(c);
        ++taken_;
        lifted_.reset();
        return place;
    }
    void put_last(link_number l, waiting row)
    {
        link& head = links_[head_of(row)];
        links_[l] = {.previous = head.previous, .next = head_of(row), .since = csp::core::here().now()};
        links_[head.previous].next = l;
        head.previous = l;
    }
    void unlink(link_number l)
    {
        const link at = links_[l];
        links_[at.previous].next = at.next;
        links_[at.next].previous = at.previous;
    }

    std::vector<conn> all_;
    std::vector<link> links_{{.previous = 0, .next = 0}, {.previous = 1, .next = 1}};
    std::vector<std::uint64_t> free_;
    std::size_t taken_ = 0;
    std::optional<lifted> lifted_;
};

/// What to do with a connection after its input was examined.
enum class verdict : std::uint8_t { wait, forward, drop };

template <class Phase>
void enter(connection& c, Phase p)
{
    c.now.emplace<Phase>(p);
    c.since = csp::core::here().now();
    c.received = 0;
}

/// Discards the part of the input that belongs to the body. Returns whether the body has ended.
std::expected<bool, http::error> skip(body_to_skip& body, input_bytes& input, const http::limits& sizes)
{
    if (auto* bytes = std::get_if<std::uint64_t>(&body)) {
        const std::uint64_t here = std::min<std::uint64_t>(*bytes, input.text().size());
        input.consume(here);
        *bytes -= here;
        return *bytes == 0;
    }
    auto& chunks = std::get<http::chunked_decoder>(body);
    while (!input.empty()) {
        const auto piece = chunks.feed(input.text(), sizes);
        if (!piece) return std::unexpected(piece.error());
        input.consume(piece->consumed);
        if (piece->done) return true;
    }
    return false;
}

/// Half-closes the connection: no further response is sent, and further input is discarded.
verdict start_lingering(connection& c)
{
    if (!io::shutdown_write(c.socket)) return verdict::drop;
    enter(c, connection::lingering());
    c.input = {};
    return verdict::wait;
}

/// Looks for the end of a head at the beginning of the input, which is not empty.
verdict look_for_head(connection& c, const http::limits& sizes)
{
    auto* const begun = std::get_if<connection::reading_head>(&c.now);
    http::head_scan first;
    const auto length = (begun != nullptr ? begun->scan : first).feed(c.input.text(), sizes);
    if (!length) {
        c.now = connection::has_request{.head = std::unexpected(length.error())};
        return verdict::forward;
    }
    if (*length) {
        c.now.emplace<connection::has_request>(**length);
        return verdict::forward;
    }
    if (begun == nullptr) {
        enter(c, connection::reading_head{.scan = first});
        c.received = c.input.text().size();
    }
    return verdict::wait;
}

verdict look(connection& c, const http::limits& sizes)
{
    if (c.is<connection::has_request>()) return verdict::forward;
    if (c.is<connection::lingering>()) {
        c.input = {};
        return verdict::wait;
    }
    if (auto* const body = std::get_if<connection::skipping_body>(&c.now)) {
        const auto over = skip(body->rest, c.input, sizes);
        // The response was already sent, so an invalid body can only be answered by closing the connection. Not at
        // once, or the client might lose the end of the response (RFC 9112 section 9.6).
        if (!over) return start_lingering(c);
        if (!*over) return verdict::wait;
        enter(c, connection::idle());
    }
    if (c.input.empty() || c.is<connection::reading_proxy_header>()) return verdict::wait;
    return look_for_head(c, sizes);
}

/// The client has `start` to begin with, and from then on must keep the minimum rate. At no time does it have more than
/// `start` left, so bytes sent fast do not allow a long pause later.
csp::time_point deadline_of_progress(const connection& c, std::chrono::milliseconds start, std::uint64_t least_rate)
{
    return std::min(c.since + start + std::chrono::milliseconds(c.received * 1000 / least_rate),
                    csp::core::here().now() + start);
}

/// The deadline of a parked connection from which something has just arrived.
csp::time_point deadline_of(const connection& c, const patience& limits)
{
    if (c.is<connection::idle>()) return c.since + limits.idle;
    if (c.is<connection::lingering>()) return c.since + limits.linger;
    const bool has_body = c.is<connection::skipping_body>();
    return deadline_of_progress(c, has_body ? limits.stall : limits.head, limits.least_rate);
}

/// What an event means for the connection.
enum class event_result : std::uint8_t {
    more_input,       // or an error to answer
    client_known,     // the PROXY header is complete
    no_proxy_header,  // it is invalid, or did not arrive in time
    closed
};

event_result receive_nothing_in_time(connection& c)
{
    if (c.is<connection::reading_proxy_header>()) return event_result::no_proxy_header;
    if (!c.is<connection::reading_head>()) return event_result::closed;
    c.now = connection::has_request{.head = std::unexpected(http::error{http::status::request_timeout,
                                                                        "The request head did not arrive in time."})};
    return event_result::more_input;
}

event_result receive(connection& c, io::select_event event, const std::vector<proxy_rule>& proxies)
{
    using enum io::select_event::outcome;
    if (event.what == closed) return event_result::closed;
    if (event.what == expired) return receive_nothing_in_time(c);
    c.received += event.bytes.size();
    c.input.add(std::move(event.bytes));
    if (!c.is<connection::reading_proxy_header>()) return event_result::more_input;
    const auto is_complete = take_proxy_header(c, proxies);
    if (!is_complete) return event_result::no_proxy_header;
    if (!*is_complete) return event_result::more_input;
    enter(c, connection::idle());
    return event_result::client_known;
}

/// The state of the process.
class parking_state {
  public:
    explicit parking_state(policy first) : rules_(std::move(first)), admitted_(rules_->clients) {}

    [[nodiscard]] bool is_empty() const { return present() == 0; }
    /// Whether to take a new connection: there is room, or another one may be closed for it.
    [[nodiscard]] bool may_take_one()
    {
        const bool is_full = present() >= rules_->connections;
        if (is_full && !was_full_) ++seen_.waits_for_room;
        was_full_ = is_full;
        return !is_full || (present() == rules_->connections && room_from() <= csp::core::here().now());
    }
    /// When there is something to do although nothing arrives: a report is due, or, if `wants_one`, may_take_one()
    /// becomes true. Max if never.
    [[nodiscard]] csp::time_point next_deadline(bool wants_one) const
    {
        const csp::time_point report_at = admitted_.has_tally() ? admitted_.report_at() : csp::time_point::max();
        if (!wants_one || present() != rules_->connections) return report_at;
        return std::min(report_at, room_from());
    }
    [[nodiscard]] io::select_read& readable() { return readable_; }
    [[nodiscard]] admission& admitted() { return admitted_; }

    [[nodiscard]] parking_view view() const
    {
        parking_view v = seen_;
        v.parked = parked_.taken();
        v.under_way = under_way_;
        v.most = rules_->connections;
        v.draining = ending_.has_value();
        return v;
    }
    void apply(freezable_policy next) noexcept
    {
        rules_ = frozen_policy(std::move(next));
        admitted_.apply(rules_->clients);
    }
    void end(stop::manner how)
    {
        ending_ = how;
        if (!is_ending_now()) return;
        for (std::uint64_t place = 0; place < parked_.size(); ++place) {
            if (!parked_.is_idle(place) || has_unread_input(parked_.at(place))) continue;
            conn idle = parked_.leave(place);
            leave(idle);
        }
    }
    [[nodiscard]] bool is_ending_now() const { return ending_ == stop::manner::now; }

    // Each of these handles the current connection. If `c` is null afterwards, it was parked or closed. If memory runs
    // out, only this connection is closed.

    /// A null `c`: no descriptor is left for the next connection.
    void arrive(conn& c) noexcept
    {
        if (!c || present() >= rules_->connections) close_one_for_room();
        if (!c) return;
        contain(c, [&] {
            ++seen_.accepted;
            enter(*c, connection::idle());
            note_proxy(*c, rules_->proxies);
            if (present() + 1 == rules_->connections) admitted_.on_full(*c);
            if (!c->is<connection::reading_proxy_header>()) admit(c);
        });
    }
    void come_back(conn& c) noexcept
    {
        --under_way_;
        if (!c) return;
        if (c->is<connection::over>()) return leave(c);
        c->since = csp::core::here().now();
        c->received = 0;
    }
    void take_event(io::select_event event, conn& c) noexcept
    {
        c = parked_.lift(event.token);
        if (event.why.number == ENOSPC || event.why.number == ENOMEM) admitted_.on_unwatched(*c);
        contain(c, [&] {
            switch (receive(*c, std::move(event), rules_->proxies)) {
                case event_result::more_input:
                    return;
                case event_result::client_known:
                    return admit(c);
                case event_result::no_proxy_header:
                    admitted_.on_missing_proxy_header(*c);
                    break;
                case event_result::closed:
                    break;
            }
            leave(c);
        });
        if (!c) parked_.release();
    }

    /// Parks or closes `c`, or leaves it to be forwarded.
    void look_at(conn& c) noexcept
    {
        contain(c, [&] {
            switch (look(*c, rules_->limits)) {
                case verdict::forward:
                    return forward(*c);
                case verdict::wait:
                    if (is_ending_now() && c->is<connection::idle>() && !has_unread_input(*c)) break;
                    return park(c);
                case verdict::drop:
                    break;
            }
            leave(c);
        });
        parked_.release();
    }

    /// Counts a request that the server itself makes. It takes no room.
    void send_round(connection& probe) noexcept
    {
        ++under_way_;
        probe.by = rules_;
    }

  private:
    template <class Work>
    void contain(conn& c, Work work) noexcept
    {
        if (!csp::attempt(work) && c) leave(c);
    }

    [[nodiscard]] std::size_t present() const { return parked_.taken() + under_way_; }

    struct candidate {
        std::uint64_t place;
        waiting row;
        csp::time_point from;  // it may be closed from then on
    };
    /// The first to be closed for a new connection: the front of the idle queue, or if it is empty that of the other.
    [[nodiscard]] std::optional<candidate> candidate_to_close() const
    {
        constexpr std::chrono::milliseconds of_idle{250};
        constexpr std::chrono::seconds of_unfinished{5};
        using enum waiting;
        if (const auto place = parked_.first(idle)) {
            return candidate{*place, idle, parked_.queued_since(*place) + of_idle};
        }
        if (const auto place = parked_.first(unfinished)) {
            return candidate{*place, unfinished, parked_.queued_since(*place) + of_unfinished};
        }
        return std::nullopt;
    }
    [[nodiscard]] csp::time_point room_from() const
    {
        const auto first = candidate_to_close();
        return first ? first->from : csp::time_point::max();
    }
    /// Whether it has unread input, which may complete what it waits for. An unfinished one is spared only once: a
    /// client can send bytes at any moment without completing anything.
    [[nodiscard]] bool is_to_be_spared(const candidate& which) const
    {
        if (which.row == waiting::unfinished && parked_.was_spared(which.place)) return false;
        return has_unread_input(parked_.at(which.place));
    }
    [[nodiscard]] static bool has_unread_input(const connection& c) { return io::select_read::has_input(c.socket); }
    /// Closes one parked connection. If none may be closed, the core has one connection too many for a while.
    void close_one_for_room()
    {
        constexpr int most_tries = 16;
        for (int i = 0; i < most_tries; ++i) {
            const auto first = candidate_to_close();
            if (!first || first->from > csp::core::here().now()) return;
            if (!is_to_be_spared(*first)) {
                ++seen_.yielded;
                conn gone = parked_.leave(first->place);
                leave(gone);
                return;
            }
            parked_.spare(first->place);
        }
    }

    void admit(conn& c)
    {
        if (!admitted_.on_arrival(*c)) c.reset();
    }
    void leave(conn& c) noexcept
    {
        admitted_.on_leaving(*c);
        c.reset();
    }
    void park(conn& c)
    {
        c->input.release_buffer();
        const csp::time_point deadline = deadline_of(*c, rules_->patience);
        io::socket& s = c->socket;
        const std::uint64_t place = parked_.take(c);
        try {
            readable_.add(place, s, deadline);
        } catch (...) {
            c = parked_.leave(place);
            throw;
        }
    }
    void forward(connection& c)
    {
        auto& request = std::get<connection::has_request>(c.now);
        const speaker by = c.client.proxy ? name_client(c, rules_->proxies) : speaker::client;
        if (const auto wait = by == speaker::client ? admitted_.on_request(c) : std::nullopt)
            request.retry_after = wait;
        ++under_way_;
        if (!c.client.is_probe) ++seen_.requests;
        request.is_last = ending_.has_value();
        c.by = rules_;
    }

    frozen_policy rules_;
    io::select_read readable_;
    places parked_;
    admission admitted_;
    std::size_t under_way_ = 0;  // forwarded, and not returned yet
    std::optional<stop::manner> ending_;
    bool was_full_ = false;
    parking_view seen_;
};

}  // namespace

csp::process parking(policy first, csp::in<freezable_policy> policies, csp::in<stop> stops, csp::in<conn> arrivals,
                     csp::in<conn> returned, csp::in<parking_question> questions, csp::out<conn> to_front_end,
                     csp::shared_out<log_lines> to_log, csp::buffered_out<tally> to_stats)
{
    parking_state state(std::move(first));
    admission& admitted = state.admitted();
    io::select_read& readable = state.readable();
    bool open = true;  // the acceptor has not ended

    while (open || !state.is_empty()) {
        conn c;  // the current connection
        const bool may_take_one = open && state.may_take_one();
        const csp::time_point deadline = state.next_deadline(open && !may_take_one);
        const csp::timeout pause = csp::at(deadline);
        const auto chosen = co_await csp::fair_alt(
            csp::when(!state.is_ending_now(), stops), csp::while_open(policies), csp::when(may_take_one, arrivals),
            returned, csp::while_open(questions), readable, csp::when(deadline != csp::time_point::max(), pause));

        if (chosen == readable) {
            state.take_event(co_await readable.next(), c);
        } else if (chosen == returned) {
            auto back = co_await returned.input();
            if (!back) co_return;
            c = std::move(*back);
            state.come_back(c);
        } else if (chosen == arrivals) {
            auto arrived = co_await arrivals.input();
            open = arrived.has_value();
            if (arrived) {
                c = std::move(*arrived);
                state.arrive(c);
            }
        } else if (chosen == stops) {
            const auto order = co_await stops.input();
            state.end(order ? order->how : stop::manner::now);
        } else if (chosen == policies) {
            auto next = co_await policies.input();
            state.apply(std::move(*next));
        } else if (chosen == questions) {
            auto question = co_await questions.input();
            conn probe = std::move(question->probe);
            if (probe) state.send_round(*probe);
            co_await question->answer.output(state.view());
            if (probe && !co_await to_front_end.output(std::move(probe))) co_return;
        } else if (admitted.has_tally() && csp::core::here().now() >= admitted.report_at()) {
            co_await to_stats.output(admitted.take_tally());
        }

        if (c) state.look_at(c);
        if (admitted.has_lines()) {
            for (log_lines& line : admitted.take_lines()) co_await to_log.output(std::move(line));
        }
        if (c && !co_await to_front_end.output(std::move(c))) co_return;
    }
    if (admitted.has_tally()) co_await to_stats.output(admitted.take_tally());
}

}  // namespace server
