// SPDX-License-Identifier: MIT
#include "server/front_end/parking.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "csp/alt.hpp"
#include "io/select_read.hpp"
#include "server/front_end/admission.hpp"
#include "server/front_end/proxies.hpp"
#include "server/messages/stop.hpp"

namespace server {
namespace {

/// What a parked connection waits for, as far as that decides who yields to a new one.
enum class waiting : std::uint8_t {
    idle,       // for a request of which nothing has come, so that nobody notices when it is closed
    unfinished  // for the rest of something
};

waiting waits_for(const connection& c)
{
    using enum connection::phase;
    return c.now == idle || (c.now == introduction && c.progress == 0) ? waiting::idle : waiting::unfinished;
}

/// The parked connections, each under a number by which the select set knows it. Each also has a turn in one of two
/// rows, for idle and for unfinished ones; those that have waited longest are in front. A connection that is looked at
/// and still waits for the same thing keeps its turn: else a client could put off its turn by sending a byte now and
/// then.
class places {
  public:
    /// `c` stays where it is if there is no memory for it here.
    std::uint64_t take(conn& c)
    {
        if (lifted_ && waits_as_before(*c)) return put_back(c);
        let_go();
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
        let_go();
        return c;
    }
    /// Takes it out to be looked at. Its place and its turn are kept for it until take() or let_go().
    conn lift(std::uint64_t place)
    {
        lifted_ = {place, waits_for(*all_[place])};
        --taken_;
        return std::move(all_[place]);
    }
    void let_go()
    {
        if (!lifted_) return;
        unlink(link_of(lifted_->place));
        free_.push_back(lifted_->place);
        lifted_.reset();
    }
    [[nodiscard]] std::size_t taken() const { return taken_; }

    /// The first in the row, if there is one. REQUIRES: none is lifted.
    [[nodiscard]] std::optional<std::uint64_t> first(waiting row) const
    {
        const link_number l = links_[head_of(row)].next;
        return l < heads ? std::nullopt : std::optional<std::uint64_t>(l - heads);
    }
    [[nodiscard]] const connection& at(std::uint64_t place) const { return *all_[place]; }
    /// When its turn began.
    [[nodiscard]] csp::time_point waits_since(std::uint64_t place) const { return links_[link_of(place)].since; }
    [[nodiscard]] bool was_spared(std::uint64_t place) const { return links_[link_of(place)].was_spared; }
    /// Gives it a new turn, behind all others.
    void spare(std::uint64_t place)
    {
        unlink(link_of(place));
        put_last(link_of(place), waits_for(*all_[place]));
        links_[link_of(place)].was_spared = true;
    }

    [[nodiscard]] std::uint64_t size() const { return all_.size(); }
    /// Whether one is there that waits for a request of which nothing has come.
    [[nodiscard]] bool is_idle(std::uint64_t place) const
    {
        return all_[place] && all_[place]->now == connection::phase::idle;
    }

  private:
    /// The rows are rings of links: first the heads of the rows, then one link for each place.
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
        return waits_for(c) == lifted_->row && c.since <= waits_since(lifted_->place);
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

news learn(connection& c, io::select_event event, const std::vector<proxy_rule>& proxies)
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

/// All that parking knows.
class lot {
  public:
    explicit lot(policy first) : rules_(std::move(first)), admitted_(rules_->clients) {}

    [[nodiscard]] bool is_empty() const { return present() == 0; }
    /// Whether one more may come in, perhaps for another that yields.
    [[nodiscard]] bool may_take_one()
    {
        const bool is_full = present() >= rules_->connections;
        if (is_full && !was_full_) ++seen_.waits_for_room;
        was_full_ = is_full;
        return !is_full || (present() == rules_->connections && yields_from() <= csp::core::here().now());
    }
    /// When may_take_one() may change by itself.
    [[nodiscard]] csp::time_point takes_one_from() const
    {
        return present() == rules_->connections ? yields_from() : csp::time_point::max();
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
    void obey(policy next)
    {
        rules_ = frozen_policy(std::move(next));
        admitted_.obey(rules_->clients);
    }
    void end(stop::manner how)
    {
        ending_ = how;
        if (!is_ending_now()) return;
        for (std::uint64_t place = 0; place < parked_.size(); ++place) {
            if (!parked_.is_idle(place) || has_asked(parked_.at(place))) continue;
            conn idle = parked_.leave(place);
            leave(idle);
        }
    }
    [[nodiscard]] bool is_ending_now() const { return ending_ == stop::manner::now; }

    // Each of these works on the connection at hand; null then: it is parked, or has gone. An exception, for want of
    // memory, costs this connection and nothing else.

    /// Null: no descriptor is left for the next one.
    void arrive(conn& c) noexcept
    {
        if (!c || present() >= rules_->connections) let_one_yield();
        if (!c) return;
        at_its_own_risk(c, [&] {
            ++seen_.accepted;
            enter(*c, connection::phase::idle);
            meet(*c, rules_->proxies);
            if (present() + 1 == rules_->connections) admitted_.on_full(*c);
            if (c->now != connection::phase::introduction) admit(c);
        });
    }
    void come_back(conn& c) noexcept
    {
        --under_way_;
        if (!c) return;
        if (c->now == connection::phase::over) return leave(c);
        enter(*c, c->now);
    }
    void hear(io::select_event event, conn& c) noexcept
    {
        c = parked_.lift(event.token);
        if (event.why.number == ENOSPC || event.why.number == ENOMEM) admitted_.on_unwatched(*c);
        at_its_own_risk(c, [&] {
            switch (learn(*c, std::move(event), rules_->proxies)) {
                case news::more:
                    return;
                case news::introduced:
                    return admit(c);
                case news::unintroduced:
                    admitted_.on_unintroduced(*c);
                    break;
                case news::gone:
                    break;
            }
            leave(c);
        });
        if (!c) parked_.let_go();
    }

    /// Parks `c`, or lets it go, or leaves it to be forwarded.
    void look_at(conn& c) noexcept
    {
        at_its_own_risk(c, [&] {
            switch (c->refused ? verdict::forward : look(*c, rules_->limits)) {
                case verdict::forward:
                    return forward(*c);
                case verdict::wait:
                    if (is_ending_now() && c->now == connection::phase::idle && !has_asked(*c)) break;
                    return park(c);
                case verdict::drop:
                    break;
            }
            leave(c);
        });
        parked_.let_go();
    }

    /// A request of the server's own, which needs no room.
    void send_round(connection& probe) noexcept
    {
        ++under_way_;
        probe.by = rules_;
    }

  private:
    template <class Work>
    void at_its_own_risk(conn& c, Work work) noexcept
    {
        if (!csp::attempt(work) && c) leave(c);
    }

    [[nodiscard]] std::size_t present() const { return parked_.taken() + under_way_; }

    struct yielder {
        std::uint64_t place;
        waiting row;
        csp::time_point from;  // it has had time until then
    };
    /// The first to be closed for a new connection. An unfinished one only when no idle one is parked.
    [[nodiscard]] std::optional<yielder> first_to_yield() const
    {
        constexpr std::chrono::milliseconds of_idle{250};
        constexpr std::chrono::seconds of_unfinished{5};
        using enum waiting;
        if (const auto place = parked_.first(idle)) return yielder{*place, idle, parked_.waits_since(*place) + of_idle};
        if (const auto place = parked_.first(unfinished)) {
            return yielder{*place, unfinished, parked_.waits_since(*place) + of_unfinished};
        }
        return std::nullopt;
    }
    [[nodiscard]] csp::time_point yields_from() const
    {
        const auto first = first_to_yield();
        return first ? first->from : csp::time_point::max();
    }
    /// Whether bytes of it that nobody has looked at may be the rest of what it waits for. An unfinished one is passed
    /// over for that once: bytes may come in at any moment, and complete nothing.
    [[nodiscard]] bool may_have_asked(const yielder& y) const
    {
        if (y.row == waiting::unfinished && parked_.was_spared(y.place)) return false;
        return has_asked(parked_.at(y.place));
    }
    /// Whether bytes of it have come that nobody has looked at.
    [[nodiscard]] static bool has_asked(const connection& c) { return io::select_read::has_news_of(c.socket); }
    /// Closes the first that is to yield. If none yields, there is one connection too many for a while.
    void let_one_yield()
    {
        constexpr int most_looks = 16;
        for (int i = 0; i < most_looks; ++i) {
            const auto first = first_to_yield();
            if (!first || first->from > csp::core::here().now()) return;
            if (!may_have_asked(*first)) {
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
        c->input.shed_buffer();
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
        const speaker by = c.proxy ? name_client(c, rules_->proxies) : speaker::client;
        if (by == speaker::client) admitted_.on_request(c);
        ++under_way_;
        if (!c.is_probe) ++seen_.requests;
        c.is_last = ending_.has_value();
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

csp::process parking(policy first, csp::in<policy> policies, csp::in<stop> stops, csp::in<conn> arrivals,
                     csp::in<conn> returned, csp::in<parking_question> questions, csp::out<conn> to_front_end,
                     csp::shared_out<log_lines> to_log, csp::buffered_out<tally> to_stats)
{
    lot here(std::move(first));
    admission& admitted = here.admitted();
    io::select_read& readable = here.readable();
    bool open = true;  // the acceptor still lives

    while (open || !here.is_empty()) {
        conn c;  // to be looked at
        const bool may_take_one = open && here.may_take_one();
        const bool will_take_one = open && !may_take_one && here.takes_one_from() != csp::time_point::max();
        const csp::timeout pause = csp::at(std::min(admitted.has_news() ? admitted.tell_at() : csp::time_point::max(),
                                                    will_take_one ? here.takes_one_from() : csp::time_point::max()));
        const auto chosen = co_await csp::fair_alt(
            csp::when(!here.is_ending_now(), stops), csp::while_open(policies), csp::when(may_take_one, arrivals),
            returned, csp::while_open(questions), readable, csp::when(admitted.has_news() || will_take_one, pause));

        if (chosen == readable) {
            here.hear(co_await readable.next(), c);
        } else if (chosen == returned) {
            auto back = co_await returned.input();
            if (!back) co_return;
            c = std::move(*back);
            here.come_back(c);
        } else if (chosen == arrivals) {
            auto arrived = co_await arrivals.input();
            open = arrived.has_value();
            if (arrived) {
                c = std::move(*arrived);
                here.arrive(c);
            }
        } else if (chosen == stops) {
            const auto order = co_await stops.input();
            here.end(order ? order->how : stop::manner::now);
        } else if (chosen == policies) {
            auto next = co_await policies.input();
            here.obey(std::move(*next));
        } else if (chosen == questions) {
            auto question = co_await questions.input();
            conn probe = std::move(question->probe);
            if (probe) here.send_round(*probe);
            co_await question->answer.output(here.view());
            if (probe && !co_await to_front_end.output(std::move(probe))) co_return;
        } else if (admitted.has_news() && csp::core::here().now() >= admitted.tell_at()) {
            co_await to_stats.output(admitted.take_news());
        }

        if (c) here.look_at(c);
        if (admitted.has_lines()) {
            for (log_lines& line : admitted.take_lines()) co_await to_log.output(std::move(line));
        }
        if (c && !co_await to_front_end.output(std::move(c))) co_return;
    }
    if (admitted.has_news()) co_await to_stats.output(admitted.take_news());
}

}  // namespace server
