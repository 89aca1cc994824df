// SPDX-License-Identifier: MIT
//
// The figures that the network counts, and the questions by which they are collected.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/post_mortem.hpp"
#include "server/messages/connection.hpp"

namespace server {

/// A histogram of response times. The bounds of the buckets grow by about a fifth: from 4 us on, each power of two has
/// four. So a percentile is accurate to about a tenth, and counting is one increment.
class latencies {
  public:
    static constexpr std::size_t buckets = 4 + 4 * 24;

    void count(std::chrono::microseconds took)
    {
        const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count()));
        ++counts_[bucket_of(us)];
        sum_us_ += us;
    }
    latencies& operator+=(const latencies& more)
    {
        for (std::size_t i = 0; i < buckets; ++i) counts_[i] += more.counts_[i];
        sum_us_ += more.sum_us_;
        return *this;
    }

    [[nodiscard]] std::uint64_t count_in(std::size_t bucket) const { return counts_[bucket]; }
    [[nodiscard]] std::uint64_t sum_us() const { return sum_us_; }
    /// The upper bound of the bucket, exclusive. The last bucket has none: it also counts everything slower.
    [[nodiscard]] static constexpr std::uint64_t bound_us(std::size_t bucket)
    {
        if (bucket < 4) return bucket + 1;
        return (5 + bucket % 4) << (bucket / 4 - 1);
    }
    /// The time that the fraction `part` of all responses did not reach; 0 if there are none.
    [[nodiscard]] std::uint64_t percentile_us(double part) const;

  private:
    [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t us)
    {
        if (us < 4) return us;
        const auto power = static_cast<std::size_t>(std::bit_width(us)) - 1;  // 2 or more
        return std::min(buckets - 1, 4 * (power - 1) + ((us >> (power - 2)) & 3));
    }

    std::array<std::uint64_t, buckets> counts_{};
    std::uint64_t sum_us_ = 0;
};

/// A slow request. It contains its text, so that recording one does not allocate memory.
struct slow_request {
    std::chrono::microseconds took{};
    std::chrono::sys_seconds when;
    std::uint16_t status = 0;
    std::uint8_t line_bytes = 0;
    std::array<char, 120> text{};

    /// Stores the request line without the query, which may contain secrets.
    void set_line(std::string_view line)
    {
        if (const auto mark = line.find('?'); mark != std::string_view::npos) line = line.substr(0, mark + 1);
        line_bytes = static_cast<std::uint8_t>(line.copy(text.data(), text.size()));
    }
    [[nodiscard]] std::string_view line() const { return {text.data(), line_bytes}; }
};

/// The slowest requests of a period, in descending order of their time.
template <std::size_t Most>
class slowest {
  public:
    [[nodiscard]] bool takes(std::chrono::microseconds took) const
    {
        return known_ < Most || took > all_[Most - 1].took;
    }
    void add(const slow_request& r)
    {
        if (!takes(r.took)) return;
        std::size_t at = std::min(known_, Most - 1);
        known_ = std::min(known_ + 1, Most);
        for (; at > 0 && all_[at - 1].took < r.took; --at) all_[at] = all_[at - 1];
        all_[at] = r;
    }
    void forget_before(std::chrono::sys_seconds when)
    {
        const auto last = std::remove_if(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(known_),
                                         [when](const slow_request& r) { return r.when < when; });
        known_ = static_cast<std::size_t>(last - all_.begin());
    }
    [[nodiscard]] const slow_request* begin() const { return all_.data(); }
    [[nodiscard]] const slow_request* end() const { return all_.data() + known_; }

  private:
    std::array<slow_request, Most> all_{};
    std::size_t known_ = 0;
};

/// The limits that a client can reach, and their keys in the configuration.
enum class limit_kind : std::uint8_t { connections_per_address, requests_per_second, head_time, target, head, body };
constexpr std::array<std::string_view, 6> limit_names{"connections_per_address",
                                                      "requests_per_second_per_address",
                                                      "head_seconds",
                                                      "target_bytes",
                                                      "head_bytes",
                                                      "body_bytes"};

/// What a core has counted since its last report. Tallies can be added.
struct tally {
    std::uint64_t exchanges = 0;
    std::uint64_t content_bytes = 0;                             // sent
    std::uint64_t head_bytes = 0;                                // received
    std::uint64_t incomplete = 0;                                // responses that were cut short
    std::array<std::uint64_t, 5> by_class{};                     // 1xx to 5xx
    std::array<std::uint64_t, limit_names.size()> limit_hits{};  // times that each limit was reached
    std::uint64_t at_once = 0;                                   // answered by a cache process itself
    std::uint64_t kept = 0;          // answered by a worker with the page that the cache has
    std::uint64_t missed = 0;        // pages that the cache did not have
    std::uint64_t about_itself = 0;  // requests for the statistics
    std::uint64_t by_programs = 0;   // answered by programs (CGI)
    std::uint64_t kept_alive = 0;    // connections that stayed open for another request
    latencies took;
    slowest<6> slow;

    tally& operator+=(const tally& more);
    [[nodiscard]] std::uint64_t& by(limit_kind kind) { return limit_hits[static_cast<std::size_t>(kind)]; }
};
static_assert(csp::mobile<tally>);

[[nodiscard]] std::string to_string(const tally& t);

/// The sum over all cores since the start.
struct figures {
    tally sum;
    slowest<20> slow;  // of the last minutes
};
struct figures_question {
    csp::bridge_out<figures> answer = {};
};

/// The connections of a core.
struct parking_view {
    std::uint64_t accepted = 0;  // since the start
    std::uint64_t requests = 0;  // the same
    std::uint64_t waits_for_room =
        0;                      // times that the limit was reached, so that clients had to wait in the accept queue
    std::uint64_t yielded = 0;  // connections closed to make room for new ones
    std::size_t parked = 0;
    std::size_t under_way = 0;
    std::size_t most = 0;
    bool draining = false;

    parking_view& operator+=(const parking_view& more);
};
struct parking_question {
    csp::out<parking_view> answer = {};
    conn probe = nullptr;  // a request of the server's own, to be forwarded like any other
};

/// The cached pages of a core, and the candidates for the cache.
struct ranked_page {
    std::string path;
    std::uint32_t count = 0;
    std::size_t bytes = 0;  // of a cached page
};
struct cache_view {
    std::size_t kept = 0;
    std::size_t competing = 0;
    std::size_t bytes = 0;
    std::size_t most_pages = 0;
    std::size_t most_bytes = 0;
    std::size_t open_files = 0;  // kept open for files that are too large for a page
    std::size_t most_open_files = 0;
    std::size_t absences = 0;  // cached 404s
    std::size_t most_absences = 0;
    std::vector<ranked_page> first_kept;
    std::vector<ranked_page> first_competing;

    /// Adds the numbers; the lists stay those of one core.
    cache_view& operator+=(const cache_view& more);
};
struct cache_question {
    csp::out<cache_view> answer = {};
};

/// The state of a core.
struct core_view {
    unsigned core = 0;
    parking_view connections;
    cache_view cache;
    std::vector<csp::kind_of_process> processes;
    bool answers = false;  // a probe was sent, and answered
};
/// The sum of one part of these views, such as `&core_view::connections`.
template <class Part>
[[nodiscard]] Part sum_of(const std::vector<core_view>& cores, Part core_view::* part)
{
    Part sum;
    for (const core_view& c : cores) sum += c.*part;
    return sum;
}
struct core_question {
    csp::bridge_out<core_view> answer = {};
    bool is_probed = false;  // whether to send a probe
};

static_assert(csp::mobile<figures> && csp::mobile<figures_question> && csp::mobile<parking_question>);
static_assert(csp::mobile<cache_question> && csp::mobile<core_view> && csp::mobile<core_question>);

}  // namespace server
