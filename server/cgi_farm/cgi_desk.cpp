// SPDX-License-Identifier: MIT
#include "server/cgi_farm/cgi_desk.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "csp/alt.hpp"
#include "csp/timer.hpp"

namespace server {
namespace {

bool is_same(const request_id& a, const request_id& b)
{
    return a.connection.drawn == b.connection.drawn && a.connection.number == b.connection.number &&
           a.request == b.request;
}

class route_places;

/// An answer that is due. Answers are collected, and the process outputs them.
struct due_answer {
    csp::bridge_out<place_answer> to;
    place_answer what;
    route_places* by;
};

/// The places of one route. Its functions may throw for want of memory: they make room for an answer before they move
/// the end for it, so nothing is changed then.
class route_places {
  public:
    void take(place_request& r, std::vector<due_answer>& due)
    {
        seen_.most_running = r.running;
        seen_.most_waiting = r.waiting;
        if (has_room()) {
            grant(r.answer, due);
        } else if (waiting_.size() >= r.waiting) {
            refuse(r.answer, place_answer::too_many, due);
        } else {
            waiting_.push_back({r.by, csp::core::here().now() + r.wait, {}});
            waiting_.back().answer = std::move(r.answer);
        }
    }
    void withdraw(const request_id& by, std::vector<due_answer>& due)
    {
        const auto at = std::ranges::find_if(waiting_, [&](const one& w) { return is_same(w.by, by); });
        if (at == waiting_.end()) return;  // answered meanwhile
        refuse(at->answer, place_answer::too_long, due);
        waiting_.erase(at);
    }
    void give_back(program_end how, std::vector<due_answer>& due)
    {
        --seen_.running;
        seen_.failed += how == program_end::failed ? 1 : 0;
        seen_.timed_out += how == program_end::timed_out ? 1 : 0;
        seen_.left += how == program_end::client_left ? 1 : 0;
        while (has_room() && !waiting_.empty()) {
            grant(waiting_.front().answer, due);
            waiting_.pop_front();
        }
    }
    void refuse_overdue(csp::time_point now, std::vector<due_answer>& due)
    {
        while (true) {
            const auto at = std::ranges::find_if(waiting_, [now](const one& w) { return w.until <= now; });
            if (at == waiting_.end()) return;
            refuse(at->answer, place_answer::too_long, due);
            waiting_.erase(at);
        }
    }
    /// The earliest time at which a wait becomes too long; max if nobody waits.
    [[nodiscard]] csp::time_point next_deadline() const
    {
        csp::time_point first = csp::time_point::max();
        for (const one& w : waiting_) first = std::min(first, w.until);
        return first;
    }
    [[nodiscard]] places_view view(const std::string& of) const
    {
        places_view v = seen_;
        v.of = of;
        v.waiting = static_cast<std::uint32_t>(waiting_.size());
        return v;
    }

  private:
    struct one {
        request_id by;
        csp::time_point until;
        csp::bridge_out<place_answer> answer;
    };

    [[nodiscard]] bool has_room() const { return seen_.running < seen_.most_running; }
    void grant(csp::bridge_out<place_answer>& to, std::vector<due_answer>& due)
    {
        due.reserve(due.size() + 1);
        due.push_back({std::move(to), place_answer::granted, this});
        ++seen_.running;
        ++seen_.started;
    }
    void refuse(csp::bridge_out<place_answer>& to, place_answer why, std::vector<due_answer>& due)
    {
        due.reserve(due.size() + 1);
        due.push_back({std::move(to), why, this});
        ++seen_.refused;
    }

    places_view seen_;
    std::deque<one> waiting_;
};

/// The state of the process.
class all_places {
  public:
    void take(place_request& r) { by_route_[r.of].take(r, due_); }
    void take(const place_withdrawn& r)
    {
        if (const auto at = by_route_.find(r.of); at != by_route_.end()) at->second.withdraw(r.by, due_);
    }
    void take(const place_returned& r)
    {
        if (const auto at = by_route_.find(r.of); at != by_route_.end()) at->second.give_back(r.how, due_);
    }
    void refuse_overdue()
    {
        for (auto& [of, places] : by_route_) places.refuse_overdue(csp::core::here().now(), due_);
    }
    [[nodiscard]] csp::time_point next_deadline() const
    {
        csp::time_point first = csp::time_point::max();
        for (const auto& [of, places] : by_route_) first = std::min(first, places.next_deadline());
        return first;
    }
    [[nodiscard]] programs_view view() const
    {
        programs_view all;
        for (const auto& [of, places] : by_route_) all.routes.push_back(places.view(of));
        return all;
    }
    /// Nobody has taken the answer: its client has failed meanwhile.
    void take(const due_answer& lost)
    {
        if (lost.what == place_answer::granted) lost.by->give_back(program_end::failed, due_);
    }
    [[nodiscard]] std::optional<due_answer> next_answer()
    {
        if (due_.empty()) return std::nullopt;
        due_answer next = std::move(due_.front());
        due_.erase(due_.begin());
        return next;
    }

  private:
    std::map<std::string, route_places, std::less<>> by_route_;
    std::vector<due_answer> due_;
};

}  // namespace

csp::process cgi_desk(csp::in<place_order> orders)
{
    all_places places;
    for (;;) {
        const csp::timeout overdue = csp::at(places.next_deadline());
        if (co_await csp::pri_alt(orders, overdue) == orders) {
            auto order = co_await orders.input();
            if (!order) co_return;
            if (auto* const question = std::get_if<places_question>(&*order)) {
                programs_view seen;
                csp::attempt([&] { seen = places.view(); });
                co_await question->answer.output(std::move(seen));
            } else if (auto* const request = std::get_if<place_request>(&*order)) {
                // If the end for the answer is still in the request, it was not taken: dropping it is the answer.
                csp::attempt([&] { places.take(*request); });
            } else if (const auto* const withdrawn = std::get_if<place_withdrawn>(&*order)) {
                csp::attempt([&] { places.take(*withdrawn); });
            } else {
                csp::attempt([&] { places.take(std::get<place_returned>(*order)); });
            }
        } else {
            csp::attempt([&] { places.refuse_overdue(); });
        }
        while (auto next = places.next_answer()) {
            const bool is_taken = co_await next->to.output(next->what);
            if (!is_taken) csp::attempt([&] { places.take(*next); });
        }
    }
}

}  // namespace server
