// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "csp/bridge.hpp"
#include "csp/mobile.hpp"
#include "http/content_coding.hpp"
#include "server/messages/page.hpp"

namespace server {

/// A text in each coding that makes it smaller by a twentieth at least, or in the one that was asked for; the others
/// are empty.
struct compressed {
    std::string path;  // canonical
    file_identity of;
    std::string gzip;
    std::string brotli;
    std::string zstd;
    std::uint64_t site = 0;    // as that of the job
    bool turned_down = false;  // nobody tried: there was no room for the job
};

/// A text to be compressed, and where the result goes: to the core that asks.
struct compression_job {
    std::string path;
    file_identity of;
    std::string text;
    csp::bridge_out<compressed> answer = {};
    std::uint64_t site = 0;
    std::optional<http::coding> only{};  // this coding, even if it makes the text no smaller; else all that do
};

static_assert(csp::crosses_cores<compressed> && csp::crosses_cores<compression_job>);

}  // namespace server
