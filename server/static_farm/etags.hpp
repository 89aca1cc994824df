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
    io::file file;    // that of the question
    std::string tag;  // as content_etag() or etag_of_times() makes it; empty: it is not known, or not yet
};

struct etag_question {
    file_identity of;
    io::file file;  // open for reading; comes back
    csp::out<etag_answer> answer = {};
};

static_assert(csp::mobile<etag_answer> && csp::mobile<etag_question>);

struct etag_rules {
    std::size_t known = 4096;                             // tags kept, those asked for lately
    std::uint64_t hashed_first = std::uint64_t{8} << 20;  // bytes; nobody waits for the tag of a larger file
    std::size_t at_once = 64;       // files that somebody waits for and that are read at the same time
    std::size_t in_background = 2;  // larger ones
    std::uint64_t hashed_last = std::uint64_t{64} << 20;  // bytes; the tag of a larger file is made from its times
    std::chrono::milliseconds quiet{
        2'000};  // a file beyond `hashed_first` has a tag when it was not changed for so long
};

/// Knows the tags of files too large to be kept in memory, each hashed once for each version. One on each core.
///
///   questions   etag_question   from the static workers
///
/// A file of up to `hashed_first` bytes is hashed before the answer, once for all who ask meanwhile; a larger one in
/// the background, once it has not been changed for a while, and until that is done its tag is not known. So a worker
/// waits for some milliseconds at most, or for as long as a slow disk takes to read that much. Hashing in the
/// background takes at most a quarter of the core's time. A file beyond `hashed_last` is never read: its tag is made
/// from its times, once it has not been changed for a while. So a log that grows has no tag, and costs nothing. Beyond
/// `at_once` and `in_background` no more is begun, and the answer is "not known": a response without a tag is right all
/// the same. Promise: always accepts `questions`; answers each, with its file; a tag is that of the version in the
/// question. Deadlock: a server to the processes that ask, each of which must take the answer before all else, so
/// outputs of answers never wait. A server to the hashers that it forks, and a client of nobody. Ends when all writers
/// have ended and nobody waits for an answer; hashing in the background is given up then.
csp::process etags(etag_rules rules, csp::in<etag_question> questions);

}  // namespace server
