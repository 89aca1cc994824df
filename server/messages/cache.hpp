// SPDX-License-Identifier: MIT
//
// The messages in the network of the cache (paper, Figure 3).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "csp/core.hpp"
#include "csp/mobile.hpp"
#include "server/messages/compression.hpp"
#include "server/messages/exchange.hpp"

namespace server {

/// The number of a cache process.
using slot_number = std::uint32_t;

/// The report of a static worker after it looked up a file.
struct looked_up {
    std::string path;  // canonical
    std::uint64_t path_hash = 0;
    frozen_page found;  // the present page; empty: there is none that can be kept
    csp::time_point when;
    std::uint64_t site = 0;  // request::site_key
};

/// What a cache process keeps from now on. Without a page, or with a null pointer, it keeps nothing.
struct assignment {
    std::string path;
    frozen_page page;
    csp::time_point looked_at;  // when the page was last compared with its file
    std::uint64_t site = 0;
};

/// Everything that a cache process receives comes on one channel: so requests sent before a new assignment are answered
/// with the old page, and those sent after it with the new one. A compressed text is kept in addition to the page.
using cache_work = std::variant<exchange, std::unique_ptr<assignment>, std::unique_ptr<compressed>>;

/// A change to what a cache process keeps.
struct change {
    slot_number slot = 0;
    std::optional<std::uint64_t> path_hash;  // hash of the path; none: send no requests to this process
    cache_work to;                           // an assignment, or a compressed text
};

/// The number of requests for a page since the last report.
struct slot_hits {
    slot_number slot = 0;
    std::uint32_t hits = 0;
};
using recent_hits = std::vector<slot_hits>;
struct hits_question {};

/// The new memory limit for all pages of the core.
struct cache_room {
    std::size_t bytes = 0;
};

static_assert(csp::mobile<looked_up> && csp::mobile<change> && csp::mobile<cache_work>);
static_assert(csp::mobile<recent_hits> && csp::mobile<hits_question>);

}  // namespace server
