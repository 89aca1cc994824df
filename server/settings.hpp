// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "csp/mobile.hpp"
#include "http/limits.hpp"
#include "http/network.hpp"
#include "http/request.hpp"
#include "io/engine.hpp"
#include "server/sites.hpp"

namespace server {

/// Everything an operator can set. Each process is given a copy of the part it needs; nobody shares it.

/// How long a client may take. What it does must make progress; no limit is on a whole transfer.
struct patience {
    std::chrono::milliseconds idle{60'000};   // between requests on one connection
    std::chrono::milliseconds head{20'000};   // from a request's first byte to the end of its head
    std::chrono::milliseconds stall{30'000};  // head start given to a body or a response before its rate counts
    std::chrono::milliseconds linger{2'000};  // for a client that still sends when its connection is to be closed
    std::chrono::milliseconds grace{10'000};  // for what is under way when the server is told to stop
    std::uint64_t least_rate = 128;           // bytes a second; slower than this after `stall` is cut off
};

/// What one address may have on a core; 0: as much as it likes.
struct client_limits {
    std::uint32_t connections_per_address = 0;
    std::uint32_t requests_per_second = 0;  // in the long run...
    std::uint32_t burst = 20;               // ...and so many at once

    /// The share of each of so many cores. The kernel spreads an address's connections over them by chance.
    [[nodiscard]] client_limits divided_by(std::uint32_t cores) const
    {
        const auto share = [cores](std::uint32_t of_all) { return (of_all + cores - 1) / cores; };
        return {share(connections_per_address), share(requests_per_second), share(burst)};
    }
};

/// Proxies that are believed when they name their clients.
struct proxy_rule {
    std::vector<http::network> from;        // their addresses
    bool from_unix = false;                 // and all peers on unix sockets
    bool begins_with_header = false;        // each of their connections does: the PROXY protocol
    std::optional<http::field_id> field{};  // in which of each request they note it: forwarded or x_forwarded_for
};

/// The first rule that holds for an address; null: it is no proxy of ours. A peer on a unix socket has no address, and
/// is in no network.
[[nodiscard]] inline const proxy_rule* rule_for(const std::vector<proxy_rule>& all, const http::ip_address& a)
{
    const auto found = std::ranges::find_if(
        all, [&](const proxy_rule& r) { return a.is_none() ? r.from_unix : http::contains(r.from, a); });
    return found == all.end() ? nullptr : &*found;
}

struct cache_rules {
    unsigned pages = 1024;                       // kept at once on a core, each by a process of its own
    unsigned open_files = 64;                    // of larger files, the same: a descriptor each
    unsigned absences = 128;                     // the same of paths under which there is nothing
    std::size_t memory = 64 * 1024 * 1024;       // bytes a core for all pages together
    std::size_t largest_page = 64 * 1024;        // bytes; larger files are sent from the disk
    std::size_t largest_text = 1024 * 1024;      // bytes; the same for what is worth compressing
    std::chrono::milliseconds freshness{1'000};  // how old a look at the file may be
    std::chrono::milliseconds ageing{10'000};    // after so long a page's count is halved

    [[nodiscard]] unsigned cache_processes() const { return pages + open_files + absences; }
};

enum class log_form : std::uint8_t { combined, json };
enum class ids_in_answers : std::uint8_t { errors, always };  // which are told the request's id

struct log_rules {
    std::string access = "-";  // as log_target reads it; "-" is standard output
    std::string error = "-";   // the same; "-" is standard error
    log_form form = log_form::combined;
    ids_in_answers told_ids = ids_in_answers::errors;
};

/// How a line a request is written.
enum class access_log : std::uint8_t { off, combined, json };
[[nodiscard]] inline access_log access_log_of(const log_rules& rules)
{
    if (rules.access.empty()) return access_log::off;
    return rules.form == log_form::json ? access_log::json : access_log::combined;
}

/// Who may see the statistics. For all others the same paths are pages like any.
struct stats_rules {
    enum class who : std::uint8_t { none, loopback, all } allow = who::loopback;
};

/// Whether there are enough descriptors to accept connections before parking has room for them.
enum class descriptors : std::uint8_t { scarce, plentiful };

struct settings {
    std::vector<std::string> listen;  // ADDRESS:PORT, as io::address reads it
    unsigned workers = 0;             // cores that serve, one thread each; 0: as many as this process may use
    io::engine_choice engine = io::engine_choice::automatic;
    unsigned spare_workers = 4;        // idle workers that each farm keeps ready
    std::size_t connections = 10'000;  // at once on each core; more wait in the kernel's queue
    server::descriptors descriptors = server::descriptors::plentiful;
    client_limits clients;            // of the whole server: each core has its share
    std::vector<proxy_rule> proxies;  // in the order written: the first that has an address is its rule
    static_rules files;               // of the site that has no table of its own; what the others do not say
    std::vector<site> sites;          // as written
    cache_rules cache;
    log_rules log;
    stats_rules stats;
    std::string control;  // the path of the control socket; "" is none
    std::string user;     // the user to run as, when root starts us; "" is no change
    std::string group;    // "" is the user's
    patience patience;
    http::limits limits;
    std::vector<std::string> warnings;  // of what was read: valid, but probably not meant
    written_places places;              // of the keys at the top level that are no site's
};

static_assert(csp::mobile<settings>);

}  // namespace server
