// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <string>
#include <variant>

#include "csp/process.hpp"
#include "http/error.hpp"
#include "io/file.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/exchange.hpp"
#include "server/messages/page.hpp"

namespace server {

/// A file that was found but not opened yet.
struct found_entry {
    io::entry entry;
    std::string name;          // relative to the root; it determines the media type
    bool is_fallback = false;  // an entry of `try` that does not depend on the path
    [[nodiscard]] const io::file_status& what() const { return entry.status(); }
    [[nodiscard]] file_identity identity() const { return identity_of(what()); }
};

/// A directory was requested without the final slash, without which relative links in its page would not work.
struct needs_slash {};
/// A directory without an index page that may be listed.
struct may_be_listed {
    std::string name;  // relative to the root
};

using found_file = std::variant<found_entry, needs_slash, may_be_listed>;

/// Finds the file for `asked`: the first entry of static_rules::tries that exists and can be served. Errors: 403, 404,
/// 500, 503.
csp::step<std::expected<found_file, http::error>> find_file(const io::directory& root, const static_rules& rules,
                                                            const request& asked);

/// Whether the precompressed file `sidecar` is usable: it is a regular file, not empty, and not older than `plain`.
[[nodiscard]] bool has_content_of(const found_entry& sidecar, const found_entry& plain);

/// Looks up `name`, relative to the root.
csp::step<io::result<found_entry>> look_at(const io::directory& root, std::string name);

}  // namespace server
