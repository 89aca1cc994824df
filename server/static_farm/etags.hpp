// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "io/file.hpp"
#include "server/messages/entity_tag.hpp"
#include "server/messages/page.hpp"

namespace server {

struct etag_answer {
    io::file file;    // from the question
    std::string tag;  // from content_etag() or etag_of_times(); empty: not known, or not yet
};

struct etag_question {
    file_identity of;
    io::file file;  // open for reading; the answer returns it
    csp::out<etag_answer> answer = {};
};

static_assert(csp::mobile<etag_answer> && csp::mobile<etag_question>);

struct etag_rules {
    std::size_t known = 4096;                             // the number of tags to remember, the most recently used
    std::uint64_t hashed_first = std::uint64_t{8} << 20;  // bytes; a larger file is hashed in the background
    std::size_t at_once = 64;                             // files hashed at the same time while a worker waits
    std::size_t in_background = 2;                        // larger files hashed at the same time
    std::uint64_t hashed_last = std::uint64_t{64}
                                << 20;  // bytes; a larger file is never hashed, and its tag is made from its times
    std::chrono::milliseconds quiet{
        2'000};  // a file larger than `hashed_first` gets a tag only when it has not changed for this long
};

/// Knows the entity tags of files that are too large for memory. Each version of a file is hashed once. One process on
/// each core.
///
///   questions   etag_question   from the page workers
///
/// A file of up to `hashed_first` bytes is hashed before the answer, once for all workers that ask meanwhile: they wait
/// some milliseconds, or as long as a slow disk takes to read it. A larger file is hashed in the background when it has
/// not changed for a while; until then its tag is unknown. Hashing in the background takes at most a quarter of the
/// core's time. A file larger than `hashed_last` is never read: its tag is made from its times when it has not changed
/// for a while. So a growing log file has no tag, and costs nothing. When `at_once` or `in_background` files are being
/// hashed, the answer for a further one is "not known": a response without a tag is still correct.
///
/// Promise: always takes `questions`; answers each and returns its file; a tag belongs to the version in the question.
/// It ends when all writers have ended and no worker waits for an answer; hashing in the background is then abandoned.
/// Client of: none; server to: page_worker, and the hashers that it forks. It cannot block: an asker takes the answer
/// before anything else, so the output of an answer never waits.
csp::process etags(etag_rules rules, csp::in<etag_question> questions);

}  // namespace server
