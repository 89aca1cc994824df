// SPDX-License-Identifier: MIT
//
// Strong entity tags (RFC 9110 section 8.8.3). They are made from what a file contains: they stay when a site is
// deployed anew with the same files, and differ when two files of the same age do. Only a file too large to be read for
// that has a tag made from its times.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "http/content_coding.hpp"
#include "server/messages/page.hpp"

struct XXH3_state_s;

namespace server {

/// The tag, with its quotes, of `content` when it is sent in that coding: `"kOSa0yWmLFsBZTSBhBbJ1w-br"`. `content` is
/// the text before it is coded; each coding has a tag of its own, since the bytes differ (section 8.8.3.3).
[[nodiscard]] std::string content_etag(std::string_view content, http::coding c = http::coding::identity);

/// The same from the tag of the text as it is, without hashing again. REQUIRES: `etag` is for no coding.
[[nodiscard]] std::string coded_etag(std::string_view etag, http::coding c);

/// The tag of a version of a file by its inode, size and times: `"t-kOSa0yWmLFsBZTSBhBbJ1w"`. It differs between
/// machines, and between a file and its copy.
[[nodiscard]] std::string etag_of_times(const file_identity& i);

/// Hashes content that comes in pieces.
class content_hash {
  public:
    content_hash();
    void add(std::span<const char> piece);
    /// As content_etag() has it of the whole.
    [[nodiscard]] std::string etag() const;

  private:
    struct free_state {
        void operator()(XXH3_state_s* state) const;
    };
    std::unique_ptr<XXH3_state_s, free_state> state_;
};

}  // namespace server
