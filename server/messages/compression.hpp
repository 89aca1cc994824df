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

/// A text in each coding that makes it at least a twentieth smaller, or in the one coding that the job names; the other
/// members are empty.
struct compressed {
    std::string path;  // canonical
    file_identity of;
    std::string gzip;
    std::string brotli;
    std::string zstd;
    std::uint64_t site = 0;    // the job's
    bool turned_down = false;  // not attempted: the queue was full
};

/// A text to compress, and the end for the answer, which goes to the core that asks.
struct compression_job {
    std::string path;
    file_identity of;
    std::string text;
    csp::bridge_out<compressed> answer = {};
    std::uint64_t site = 0;
    std::optional<http::coding> only{};  // make only this coding, even if it does not make the text smaller
};

static_assert(csp::crosses_cores<compressed> && csp::crosses_cores<compression_job>);

}  // namespace server
