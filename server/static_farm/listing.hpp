// SPDX-License-Identifier: MIT
//
// What a directory without an index page answers with, where the operator wants it listed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/target.hpp"
#include "io/file.hpp"

namespace server {

/// Links to the other parts of a listing with too many entries for one page.
struct listing_links {
    std::string first;  // relative addresses; empty: this is the first page, or the last
    std::string next;
};

/// The entry behind which a listing begins, as the query `after=NAME` says: a directory's name ends with a slash.
[[nodiscard]] std::optional<io::directory_entry> listing_start(std::string_view query);
/// The query, with its question mark, of the listing that begins behind `last`.
[[nodiscard]] std::string listing_after(const io::directory_entry& last);

/// A page to look around with. Directories come first, then all by name; what cannot be asked for is left out: names
/// with a dot in front, names that are not UTF-8, and those with a control byte or a backslash.
/// Its links are relative, so it stays right behind a proxy that adds or takes away a prefix.
/// REQUIRES: `path` ends with a slash.
[[nodiscard]] std::string listing_html(const http::canonical_path& path, std::vector<io::directory_entry> entries,
                                       const listing_links& rest = {});

/// The same for a program: an array of
///   {"name":"a.txt","type":"file","size":12,"modified":"2026-11-24T09:00:00Z"}
/// `type` is "file" or "directory"; a directory's size is null.
[[nodiscard]] std::string listing_json(std::vector<io::directory_entry> entries);

}  // namespace server
