// SPDX-License-Identifier: MIT
//
// What travels in the cache's network (paper, Figure 3).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "csp/core.hpp"
#include "csp/mobile.hpp"
#include "server/exchange.hpp"
#include "server/static_farm/compressor.hpp"

namespace server {

/// A cache process, by its number.
using slot_number = std::uint32_t;

/// What a static worker tells after it had to look at a file.
struct looked_up {
    std::string path;  // canonical
    std::uint64_t path_hash = 0;
    frozen_page found;  // the page as it is now; none: there is none that could be kept
    csp::time_point when;
    std::uint64_t site = 0;  // request::site_key
};

/// What a cache process is to keep from now on; without a page, or where there is no assignment, nothing.
struct assignment {
    std::string path;
    frozen_page page;
    csp::time_point looked_at;  // when the page was last compared with its file
    std::uint64_t site = 0;
};

/// What a cache process is sent, all along one channel: so that what was sent before a new assignment is answered with
/// the old page, and what is sent after it with the new one. A compressed text is to be kept beside the page.
using cache_work = std::variant<exchange, std::unique_ptr<assignment>, std::unique_ptr<compressed>>;

/// A change to what a cache process keeps.
struct change {
    slot_number slot = 0;
    std::optional<std::uint64_t> path_hash;  // of what it keeps; none: no request is to be sent there
    cache_work to;                           // an assignment, or a compressed text
};

/// How often pages were asked for of late.
struct slot_hits {
    slot_number slot = 0;
    std::uint32_t hits = 0;
};
using recent_hits = std::vector<slot_hits>;
struct hits_question {};

/// How much memory all pages of the core may have from now on.
struct cache_room {
    std::size_t bytes = 0;
};

static_assert(csp::mobile<looked_up> && csp::mobile<change> && csp::mobile<cache_work>);
static_assert(csp::mobile<recent_hits> && csp::mobile<hits_question>);

}  // namespace server
