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

/// What was found under a name, and not opened yet.
struct found_entry {
    io::entry entry;
    std::string name;          // beneath the root, from which the media type follows
    bool is_fallback = false;  // sent in place of whatever is missing
    [[nodiscard]] const io::file_status& what() const { return entry.status(); }
    [[nodiscard]] file_identity identity() const { return identity_of(what()); }
};

/// A directory that was asked for without its slash. Its address ends with one, or the links in its pages would lead
/// elsewhere.
struct needs_slash {};
/// A directory without an index page that may be listed.
struct may_be_listed {
    std::string name;  // beneath the root
};

using found_file = std::variant<found_entry, needs_slash, may_be_listed>;

inline constexpr http::error in_flux{http::status::service_unavailable, "This file is being changed just now."};

/// What the client is told when a file or a directory could not be opened or read.
[[nodiscard]] http::error refusal(const io::error& e);

/// Finds what answers `asked`: the first of static_rules::tries that is there and has a page. Errors: 403, 404, 500,
/// 503.
csp::step<std::expected<found_file, http::error>> find_file(const io::directory& root, const static_rules& rules,
                                                            const request& asked);

/// Whether the precompressed file `sidecar` may hold the present content of `plain`: it is a regular file, is no older,
/// and is not empty, as no coding makes an empty file.
[[nodiscard]] bool has_content_of(const found_entry& sidecar, const found_entry& plain);

/// Whether a file could not be looked at for want of descriptors, threads or memory. Such an error says nothing about
/// the file.
[[nodiscard]] bool is_lack_of_means(const http::error& e);

/// Looks at one name beneath the root.
csp::step<io::result<found_entry>> look_at(const io::directory& root, std::string name);

}  // namespace server
