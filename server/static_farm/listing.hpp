// SPDX-License-Identifier: MIT
//
// The listing of a directory that has no index page, if the configuration enables listings.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/target.hpp"
#include "io/file.hpp"

namespace server {

/// Links between the pages of a listing that has too many entries for one page.
struct listing_links {
    std::string first;  // relative URLs; empty on the first page (`first`) and on the last (`next`)
    std::string next;
};

/// The entry after which this page of the listing begins, from the query `after=NAME`. The name of a directory ends
/// with a slash. Nullopt if the query does not say: the listing begins with the first entry.
[[nodiscard]] std::optional<io::directory_entry> listing_start(std::string_view query);
/// The query, with its question mark, of the page that begins after `last`.
[[nodiscard]] std::string listing_after(const io::directory_entry& last);

/// The listing as an HTML page. Directories come first, and each group is sorted by name. Entries that a client cannot
/// request are omitted: names that begin with a dot, are not UTF-8, or contain a control character or a backslash. All
/// links are relative, so they also work behind a proxy that adds or removes a path prefix.
/// REQUIRES: `path` ends with a slash.
[[nodiscard]] std::string listing_html(const http::canonical_path& path, std::vector<io::directory_entry> entries,
                                       const listing_links& rest = {});

/// The listing in JSON: an array of
///   {"name":"a.txt","type":"file","size":12,"modified":"2026-11-24T09:00:00Z"}
/// `type` is "file" or "directory"; the size of a directory is null.
[[nodiscard]] std::string listing_json(std::vector<io::directory_entry> entries);

}  // namespace server
