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
#include "http/ip.hpp"
#include "http/limits.hpp"
#include "http/request.hpp"
#include "io/engine.hpp"
#include "server/configuration/sites.hpp"

namespace server {

// Everything that an operator can set. Each process has a copy of the part that it needs.

/// How long a client may take. A transfer must make progress, but its whole duration is not limited.
struct patience {
    std::chrono::milliseconds idle{60'000};   // between requests on one connection
    std::chrono::milliseconds head{20'000};   // from a request's first byte to the end of its head
    std::chrono::milliseconds stall{30'000};  // from the beginning of a body or a response until its rate counts
    std::chrono::milliseconds linger{
        2'000};  // for reading from a client before its connection is closed (lingering close)
    std::chrono::milliseconds grace{10'000};  // for the requests under way when the server stops
    std::uint64_t least_rate = 128;           // bytes a second; after `stall`, slower transfers are ended
};

/// Limits for each client address; 0 is no limit.
struct client_limits {
    std::uint32_t connections_per_address = 0;
    std::uint32_t requests_per_second = 0;  // on average
    std::uint32_t burst = 20;               // at most so many at once, which the average makes up for

    /// The limits on one of so many cores, rounded up. They add up to the whole only if a client's connections are
    /// spread evenly, which the kernel does by chance.
    [[nodiscard]] client_limits divided_by(std::uint32_t cores) const
    {
        const auto share = [cores](std::uint32_t of_all) { return (of_all + cores - 1) / cores; };
        return {share(connections_per_address), share(requests_per_second), share(burst)};
    }
};

/// Proxies that the server trusts to state the addresses of their clients.
struct proxy_rule {
    std::vector<http::ip_prefix> from;  // their addresses
    bool from_unix = false;             // also all peers on unix sockets
    bool begins_with_header = false;    // each connection begins with a header of the PROXY protocol
    std::optional<http::field_id>
        field{};  // the field of each request that has the address: forwarded or x_forwarded_for
};

/// The first rule that includes this address; null if there is none. A peer on a unix socket has no address, and
/// matches `from_unix` only.
[[nodiscard]] inline const proxy_rule* rule_for(const std::vector<proxy_rule>& all, const http::ip_address& a)
{
    const auto found = std::ranges::find_if(
        all, [&](const proxy_rule& r) { return a.is_none() ? r.from_unix : http::contains(r.from, a); });
    return found == all.end() ? nullptr : &*found;
}

struct cache_rules {
    unsigned pages = 1024;                       // at most, on each core; each is kept by a process of its own
    unsigned open_files = 64;                    // likewise, for larger files; each has a descriptor
    unsigned absences = 128;                     // likewise, for paths that do not exist
    std::size_t memory = 64 * 1024 * 1024;       // bytes on each core, for all pages together
    std::size_t largest_page = 64 * 1024;        // bytes; larger files are sent from the disk
    std::size_t largest_text = 1024 * 1024;      // bytes; the same limit for files that are worth compressing
    std::chrono::milliseconds freshness{1'000};  // how long a page is used before its file is checked again
    std::chrono::milliseconds ageing{10'000};    // how often the use count of a page is halved

    [[nodiscard]] unsigned cache_processes() const { return pages + open_files + absences; }
};

enum class log_form : std::uint8_t { combined, json };
enum class ids_in_answers : std::uint8_t { errors, always };  // which responses have the request's id

struct log_rules {
    std::string access = "-";  // in the form that parse_log_target() reads; "-" is standard output, "" none
    std::string error = "-";   // likewise; "-" is standard error
    log_form form = log_form::combined;
    ids_in_answers ids_in_responses = ids_in_answers::errors;
};

/// The format of the access log.
enum class access_log : std::uint8_t { off, combined, json };
[[nodiscard]] inline access_log access_log_of(const log_rules& rules)
{
    if (rules.access.empty()) return access_log::off;
    return rules.form == log_form::json ? access_log::json : access_log::combined;
}

/// Who may see the statistics. For all other clients their paths are ordinary paths of the site.
struct stats_rules {
    enum class who : std::uint8_t { none, loopback, all } allow = who::loopback;
};

/// The parts of the sandbox, which closes at the start.
struct sandbox_rules {
    bool files = true;                // by Landlock
    bool system_calls = true;         // by seccomp
    std::vector<std::string> read{};  // the directories that may be read; if empty, all

    [[nodiscard]] bool operator==(const sandbox_rules&) const = default;
};

/// Whether the limit of descriptors allows the acceptor to accept connections before parking has room for them.
enum class descriptors : std::uint8_t { scarce, plentiful };

struct settings {
    std::vector<std::string> listen;  // in the form that io::address::parse() reads
    unsigned workers = 0;             // cores that serve, one thread each; 0: usable_processors()
    io::engine_choice engine = io::engine_choice::automatic;
    unsigned spare_workers = 4;        // idle workers that each farm keeps ready
    std::size_t connections = 10'000;  // at most, on each core; more wait in the kernel's queue
    server::descriptors descriptors = server::descriptors::plentiful;
    client_limits clients;            // of the whole server; see client_limits::divided_by()
    std::vector<proxy_rule> proxies;  // in the order written; see rule_for()
    static_rules files;               // of the site at the top level; the defaults of the others
    std::vector<site> sites;          // the [[site]] tables, in the order written
    cache_rules cache;
    log_rules log;
    stats_rules stats;
    sandbox_rules sandbox;
    std::string control;         // the path of the control socket; "" is none
    std::string user;            // the user to switch to after a start by root; "" is no change
    std::string group;           // "" is the user's group
    std::string state = "/tmp";  // the directory of temporary files, which have no names
    patience patience;
    http::limits limits;
    std::string configuration_file;     // the path as given; "" is none
    std::vector<std::string> warnings;  // about settings that are valid, but probably not meant
    written_places places;              // of the keys at the top level that do not belong to a site
};

static_assert(csp::mobile<settings>);

}  // namespace server
