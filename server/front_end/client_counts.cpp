// SPDX-License-Identifier: MIT
#include "server/front_end/client_counts.hpp"

#include <algorithm>
#include <random>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace server {
namespace {

std::uint64_t random_key()
{
    std::random_device random;
    return std::uint64_t{random()} << 32 | random();
}

}  // namespace

std::size_t client_counts::keyed_hash::operator()(const http::ip_address& a) const
{
    return XXH3_64bits_withSeed(a.bytes.data(), a.bytes.size(), key);
}

client_counts::client_counts(client_limits limits, std::size_t most_absent)
    : limits_(limits), most_absent_(most_absent), all_(0, keyed_hash{random_key()})
{
}

client_counts::account& client_counts::of(const http::ip_address& who)
{
    const auto known = all_.find(who);
    if (known != all_.end()) return *known->second;
    absent_.push_back({.who = who, .full_at = csp::core::here().now()});
    all_.emplace(who, std::prev(absent_.end()));
    return absent_.back();
}

/// Forgets the addresses with a full bucket, and the oldest ones beyond `most_absent`.
void client_counts::forget_some()
{
    const csp::time_point now = csp::core::here().now();
    while (!absent_.empty() && (absent_.size() > most_absent_ || absent_.front().full_at <= now)) {
        all_.erase(absent_.front().who);
        absent_.pop_front();
    }
}

void client_counts::apply(client_limits limits)
{
    const std::uint32_t before = std::exchange(limits_, limits).requests_per_second;
    if (before == limits.requests_per_second || before == 0) return;
    // A debt is a number of requests, so it is kept when the time for a request changes.
    const csp::time_point now = csp::core::here().now();
    for (accounts* some : {&present_, &absent_}) {
        for (account& a : *some) {
            const double debt = std::chrono::duration<double>(std::max(a.full_at, now) - now).count() * before;
            const double seconds = limits.requests_per_second == 0 ? 0 : debt / limits.requests_per_second;
            a.full_at =
                now + std::chrono::duration_cast<csp::time_point::duration>(std::chrono::duration<double>(seconds));
        }
    }
}

/// Counts even without a limit, since a reload may set one.
bool client_counts::enter(const http::ip_address& client)
{
    const http::ip_address who = http::subscriber_of(client);
    account& a = of(who);
    const bool admitted = limits_.connections_per_address == 0 || a.connections < limits_.connections_per_address;
    if (admitted && a.connections++ == 0) present_.splice(present_.end(), absent_, all_.find(who)->second);
    forget_some();
    return admitted;
}

void client_counts::leave(const http::ip_address& client)
{
    const auto known = all_.find(http::subscriber_of(client));
    if (--known->second->connections > 0) return;
    absent_.splice(absent_.end(), present_, known->second);
    forget_some();
}

std::optional<std::chrono::seconds> client_counts::ask(const http::ip_address& client)
{
    if (limits_.requests_per_second == 0) return std::nullopt;
    account& a = of(http::subscriber_of(client));
    const csp::time_point now = csp::core::here().now();
    const auto one = std::chrono::nanoseconds(std::chrono::seconds(1)) / limits_.requests_per_second;
    const csp::time_point then_full = std::max(a.full_at, now) + one;
    const auto debt = then_full - now;
    if (debt > one * std::max(limits_.burst, 1U)) {
        return std::chrono::ceil<std::chrono::seconds>(debt - one * std::max(limits_.burst, 1U));
    }
    a.full_at = then_full;
    return std::nullopt;
}

}  // namespace server
