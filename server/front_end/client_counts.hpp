// SPDX-License-Identifier: MIT
//
// What a core counts of each address, of which it lets nobody have too much.
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

/// Belongs to one process. An address is forgotten when it has no connection and has not asked for a while; of those
/// without a connection, which anybody can make many of, only so many are remembered.
class client_counts {
  public:
    explicit client_counts(client_limits limits, std::size_t most_absent = 16'384);

    /// From now on by these limits. Who has connections keeps them, and what an address has asked counts on.
    void obey(client_limits limits);

    /// A connection of `who` has come. False: that is one too many, and it is not counted.
    [[nodiscard]] bool enter(const http::ip_address& who);
    /// A counted one has gone.
    void leave(const http::ip_address& who);

    /// A request of `who` has come: nothing if it may be answered, else after how long it might be.
    [[nodiscard]] std::optional<std::chrono::seconds> ask(const http::ip_address& who);

    [[nodiscard]] std::size_t known() const { return all_.size(); }

  private:
    struct account;
    using accounts = std::list<account>;
    /// A token bucket in one number: `full_at` is when it is full again. Each request takes the time of one from it.
    struct account {
        http::ip_address who;
        std::uint32_t connections = 0;
        csp::time_point full_at;
    };
    /// Clients choose their addresses, so they must not know what those hash to.
    struct keyed_hash {
        std::uint64_t key;
        std::size_t operator()(const http::ip_address& a) const;
    };

    account& of(const http::ip_address& who);
    void forget_some();

    client_limits limits_;
    std::size_t most_absent_;
    accounts present_;  // with connections
    accounts absent_;   // without; the one that left last comes last
    std::unordered_map<http::ip_address, accounts::iterator, keyed_hash> all_;
};

}  // namespace server
