// SPDX-License-Identifier: MIT
#include "server/front_end/admission.hpp"

#include <chrono>

#include <fmt/core.h>

namespace server {
namespace {

constexpr std::chrono::milliseconds telling_pause{200};  // at most so long is a number known here alone
constexpr std::size_t most_turned_away = 64;             // until they have gone, others might not be told why

/// A client on a unix socket has no address to be counted by, unless it is a proxy that hides its clients.
bool is_without_address(const connection& c) { return c.client.is_none() && !c.is_unnamed; }

}  // namespace

void admission::limit::bite(const connection& c, std::vector<log_lines>& lines,
                            std::optional<request_id> request) noexcept
{
    lines_.note();
    if (!lines_.is_due()) return;
    // If there is no memory for the line, the next one reports this too.
    csp::attempt([&] {
        const auto times = lines_.unsaid();
        lines.push_back(error_line("warning",
                                   fmt::format("{} (now {}; {} since this was last said)", text_, c.peer, times),
                                   request ? to_string(*request) : ""));
        lines_.said();
    });
}

bool admission::on_arrival(connection& c)
{
    if (c.proxy || is_without_address(c)) return true;
    const bool has_room = counts_.enter(c.client);
    c.counts_as = has_room ? connection::standing::counted : connection::standing::turned_away;
    if (has_room) return true;
    note(limit_kind::connections_per_address);
    of_one_address_.bite(c, unwritten_);
    if (turned_away_ == most_turned_away) return false;
    ++turned_away_;
    c.refused = http::error{http::status::too_many_requests,
                            "Your address has more connections than one may (connections_per_address)."};
    c.retry_after = std::chrono::seconds(1);
    return true;
}

void admission::on_request(connection& c)
{
    if (c.counts_as == connection::standing::turned_away || is_without_address(c)) return;
    c.retry_after = counts_.ask(c.client);
    if (!c.retry_after) return;
    note(limit_kind::requests_per_second);
    requests_.bite(c, unwritten_, c.present_request());
}

void admission::on_leaving(const connection& c)
{
    if (c.counts_as == connection::standing::counted) counts_.leave(c.client);
    if (c.counts_as == connection::standing::turned_away) --turned_away_;
}

tally admission::take_news()
{
    has_news_ = false;
    return std::exchange(told_, {});
}

void admission::note(limit_kind which)
{
    ++told_.by(which);
    if (!std::exchange(has_news_, true)) tell_at_ = csp::core::here().now() + telling_pause;
}

}  // namespace server
