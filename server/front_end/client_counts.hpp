// SPDX-License-Identifier: MIT
//
// The connections and requests of each client address on a core, for the limits per address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "csp/core.hpp"
#include "http/ip.hpp"
#include "server/configuration/settings.hpp"

namespace server {

/// Belongs to one process. An address is forgotten when it has no connection and its token bucket is full again. At
/// most `most_absent` addresses without a connection are remembered, since a client can easily produce many of them.
class client_counts {
  public:
    explicit client_counts(client_limits limits, std::size_t most_absent = 16'384);

    /// Changes the limits. Existing connections stay open, and requests already counted still count.
    void apply(client_limits limits);

    /// A connection from `who` has arrived. Returns false if it is beyond the limit; it is then not counted.
    [[nodiscard]] bool enter(const http::ip_address& who);
    /// A counted connection was closed.
    void leave(const http::ip_address& who);

    /// A request from `who` has arrived. Returns nullopt if it is within the rate limit, and otherwise the time after
    /// which the client may try again.
    [[nodiscard]] std::optional<std::chrono::seconds> ask(const http::ip_address& who);

    [[nodiscard]] std::size_t known() const { return all_.size(); }

  private:
    struct account;
    using accounts = std::list<account>;
    /// A token bucket, stored as the time at which it will be full. Each request moves this time by one interval.
    struct account {
        http::ip_address who;
        std::uint32_t connections = 0;
        csp::time_point full_at;
    };
    /// The hash has a random key: clients choose their addresses and must not be able to produce collisions.
    struct keyed_hash {
        std::uint64_t key;
        std::size_t operator()(const http::ip_address& a) const;
    };

    account& of(const http::ip_address& who);
    void forget_some();

    client_limits limits_;
    std::size_t most_absent_;
    accounts present_;  // with connections
    accounts absent_;   // without; the most recent comes last
    std::unordered_map<http::ip_address, accounts::iterator, keyed_hash> all_;
};

}  // namespace server
