// SPDX-License-Identifier: MIT
//
// Which clients are admitted, and what is logged about the others.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "csp/core.hpp"
#include "server/configuration/settings.hpp"
#include "server/front_end/client_counts.hpp"
#include "server/messages/connection.hpp"
#include "server/messages/figures.hpp"
#include "server/messages/log_lines.hpp"
#include "server/messages/once_a_minute.hpp"

namespace server {

/// Part of parking. Applies the limits for one client address to every connection and request of a core. Log lines and
/// figures about limits that were reached collect here until parking takes them.
class admission {
  public:
    explicit admission(client_limits limits) : counts_(limits) {}

    void apply(client_limits limits) { counts_.apply(limits); }

    /// The client of `c` is now known. A proxy's connections serve many clients and are not limited here. A connection
    /// beyond the limit has an error to answer afterwards. Returns false if it is to be closed without an answer,
    /// because too many such answers are in progress.
    [[nodiscard]] bool on_arrival(connection& c);
    /// The next request has arrived. If it exceeds the rate limit, returns when the client may try again.
    [[nodiscard]] std::optional<std::chrono::seconds> on_request(const connection& c);
    void on_leaving(const connection& c);

    /// `c` takes the last free place.
    void on_full(const connection& c) { all_connections_.hit(c, lines_); }
    /// The kernel cannot watch `c`, which is therefore closed.
    void on_unwatched(const connection& c) { unwatched_.hit(c, lines_); }
    /// `c` did not begin with the PROXY header that is required of it.
    void on_missing_proxy_header(const connection& c) { missing_proxy_headers_.hit(c, lines_); }

    [[nodiscard]] bool has_lines() const { return !lines_.empty(); }
    [[nodiscard]] std::vector<log_lines> take_lines() { return std::exchange(lines_, {}); }

    [[nodiscard]] bool has_tally() const { return has_tally_; }
    /// When to report the tally to the statistics.
    [[nodiscard]] csp::time_point report_at() const { return report_at_; }
    [[nodiscard]] tally take_tally();

  private:
    /// Counts how often a limit was reached, and when to log it.
    class limit {
      public:
        explicit limit(std::string_view text) : text_(text) {}
        /// `c` has reached the limit. Adds a line to `lines` if one is due.
        void hit(const connection& c, std::vector<log_lines>& lines,
                 std::optional<request_id> request = std::nullopt) noexcept;

      private:
        std::string_view text_;
        once_a_minute counted_;
    };

    void note(limit_kind which);

    client_counts counts_;
    std::size_t turned_away_ = 0;  // open connections beyond the limit, to be answered with an error
    limit all_connections_{
        "[limits] connections: a core has reached the limit; a new connection replaces the one that has been idle "
        "longest, or waits in the accept queue"};
    limit unwatched_{
        "a connection was closed, because the kernel has no watch or memory left for it (see "
        "fs.epoll.max_user_watches)"};
    limit of_one_address_{
        "[limits] connections_per_address: an address has reached the limit, and further connections are refused"};
    limit requests_{"[limits] requests_per_second_per_address: a request was refused with 429"};
    limit missing_proxy_headers_{"[[proxy]] protocol: a connection that did not begin with a PROXY header was closed"};
    std::vector<log_lines> lines_;
    tally tally_;
    bool has_tally_ = false;
    csp::time_point report_at_;
};

}  // namespace server
