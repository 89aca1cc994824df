// SPDX-License-Identifier: MIT
#include "server/front_end/admission.hpp"

#include <chrono>

#include <fmt/core.h>

namespace server {
namespace {

using standing = client_identity::standing;

constexpr std::chrono::milliseconds report_interval{200};
constexpr std::size_t most_turned_away = 64;  // further connections beyond the limit are closed without an answer

/// A client on a Unix socket has no address to count by, unless it is a proxy that does not name its client.
bool is_without_address(const client_identity& c) { return c.address.is_none() && !c.is_unknown; }

}  // namespace

void admission::limit::hit(const connection& c, std::vector<log_lines>& lines,
                           std::optional<request_id> request) noexcept
{
    counted_.note();
    if (!counted_.is_due()) return;
    // Without memory for the line, the next one reports this too.
    csp::attempt([&] {
        const auto times = counted_.unsaid();
        lines.push_back(error_line(
            "warning", fmt::format("{} (client {}; {} since the last such message)", text_, c.client.text, times),
            request ? to_string(*request) : ""));
        counted_.said();
    });
}

bool admission::on_arrival(connection& c)
{
    client_identity& client = c.client;
    if (client.proxy || is_without_address(client)) return true;
    const bool has_room = counts_.enter(client.address);
    client.counts_as = has_room ? standing::counted : standing::turned_away;
    if (has_room) return true;
    note(limit_kind::connections_per_address);
    of_one_address_.hit(c, lines_);
    if (turned_away_ == most_turned_away) return false;
    ++turned_away_;
    c.now = connection::has_request{
        .head = std::unexpected(http::error{http::status::too_many_requests,
                                            "Your address has too many connections (connections_per_address)."}),
        .retry_after = std::chrono::seconds(1)};
    return true;
}

std::optional<std::chrono::seconds> admission::on_request(const connection& c)
{
    if (c.client.counts_as == standing::turned_away || is_without_address(c.client)) return std::nullopt;
    const auto retry_after = counts_.ask(c.client.address);
    if (retry_after) {
        note(limit_kind::requests_per_second);
        requests_.hit(c, lines_, c.present_request());
    }
    return retry_after;
}

void admission::on_leaving(const connection& c)
{
    if (c.client.counts_as == standing::counted) counts_.leave(c.client.address);
    if (c.client.counts_as == standing::turned_away) --turned_away_;
}

tally admission::take_tally()
{
    has_tally_ = false;
    return std::exchange(tally_, {});
}

void admission::note(limit_kind which)
{
    ++tally_.by(which);
    if (!std::exchange(has_tally_, true)) report_at_ = csp::core::here().now() + report_interval;
}

}  // namespace server
