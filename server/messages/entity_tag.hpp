// SPDX-License-Identifier: MIT
//
// Strong entity tags (RFC 9110 section 8.8.3). A tag is a hash of the content: it stays the same when a site is
// deployed again with the same files, and differs between two contents even if the files have the same times. Only
// files too large to hash have a tag that is made from their times.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "http/content_coding.hpp"
#include "server/messages/page.hpp"

struct XXH3_state_s;

namespace server {

/// The tag, with its quotes, of `content` when it is sent in coding `c`: `"kOSa0yWmLFsBZTSBhBbJ1w-br"`. `content` is
/// the uncompressed text. Each coding has its own tag, since the bytes differ (section 8.8.3.3).
[[nodiscard]] std::string content_etag(std::string_view content, http::coding c = http::coding::identity);

/// The same, derived from the tag of the uncompressed text without hashing. REQUIRES: `etag` is a tag for identity.
[[nodiscard]] std::string coded_etag(std::string_view etag, http::coding c);

/// A tag made from a file's inode, size and times: `"t-kOSa0yWmLFsBZTSBhBbJ1w"`. It differs between machines, and
/// between a file and its copy.
[[nodiscard]] std::string etag_of_times(const file_identity& i);

/// Hashes content that is read in pieces.
class content_hash {
  public:
    content_hash();
    void add(std::span<const char> piece);
    /// The content_etag() of all pieces together.
    [[nodiscard]] std::string etag() const;

  private:
    struct free_state {
        void operator()(XXH3_state_s* state) const;
    };
    std::unique_ptr<XXH3_state_s, free_state> state_;
};

}  // namespace server
