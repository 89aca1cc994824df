// SPDX-License-Identifier: MIT
//
// Which clients are let in, and what is logged about those that are not.
#pragma once

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

/// Belongs to parking. Rules on every connection and every request of a core by the limits for one address; what is to
/// be said of a limit that bites, in the log and in the statistics, gathers here until it is taken.
class admission {
  public:
    explicit admission(client_limits limits) : counts_(limits) {}

    void obey(client_limits limits) { counts_.obey(limits); }

    /// It is known now whose connection `c` is. A proxy's are many clients', so nothing is said of their number. One
    /// that is too many is told why (`refused`); or yields false: so many are being told already that it is to be
    /// dropped.
    [[nodiscard]] bool on_arrival(connection& c);
    /// The next request has come. If it may not be answered, `retry_after` says when one might be.
    void on_request(connection& c);
    void on_leaving(const connection& c);

    /// `c` is the last one that there was room for.
    void on_full(const connection& c) { all_connections_.bite(c, unwritten_); }
    /// The kernel cannot watch `c`, which is closed.
    void on_unwatched(const connection& c) { watches_.bite(c, unwritten_); }
    /// `c` did not say whom it speaks for, as it must.
    void on_unintroduced(const connection& c) { introductions_.bite(c, unwritten_); }

    [[nodiscard]] bool has_lines() const { return !unwritten_.empty(); }
    [[nodiscard]] std::vector<log_lines> take_lines() { return std::exchange(unwritten_, {}); }

    [[nodiscard]] bool has_news() const { return has_news_; }
    /// When the news is to be told.
    [[nodiscard]] csp::time_point tell_at() const { return tell_at_; }
    [[nodiscard]] tally take_news();

  private:
    /// How often a limit has bitten, and whether that is to be said in the log.
    class limit {
      public:
        explicit limit(std::string_view text) : text_(text) {}
        /// `c` has met it. Adds a line to `lines` if it is time for one.
        void bite(const connection& c, std::vector<log_lines>& lines,
                  std::optional<request_id> request = std::nullopt) noexcept;

      private:
        std::string_view text_;
        once_a_minute lines_;
    };

    void note(limit_kind which);

    client_counts counts_;
    std::size_t turned_away_ = 0;  // and not gone yet
    limit all_connections_{
        "[limits] connections: a core has all that it may; a new one takes the place of the one that has been idle "
        "longest, or waits in the kernel's queue"};
    limit watches_{
        "a connection was closed, since the system has no watch or memory left for it (see "
        "fs.epoll.max_user_watches)"};
    limit of_one_address_{"[limits] connections_per_address: an address has all that it may, and others are refused"};
    limit requests_{"[limits] requests_per_second_per_address: a request was refused with 429"};
    limit introductions_{"[[proxy]] protocol: a connection that did not begin with a PROXY header was closed"};
    std::vector<log_lines> unwritten_;
    tally told_;
    bool has_news_ = false;
    csp::time_point tell_at_;
};

}  // namespace server
