// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "http/error.hpp"
#include "server/messages/page.hpp"
#include "server/messages/program_places.hpp"
#include "server/respond/request_body.hpp"

namespace server {

/// How a request that a program was started for ended: its response was sent, as far as the client took it; or the
/// program redirected to another path of the site, for which the request is decided again.
enum class outcome : std::uint8_t { answered, cut_short, client_left, timed_out, redirected };

/// Why a program does not answer a request. The client gets an error page, unless it has left.
struct refused {
    http::error why;
    std::string cause = {};  // for the error log; empty if the client is at fault
    program_end counts_as = program_end::failed;
    response_fields with = {};  // for the error response
};

[[nodiscard]] program_end end_of(outcome o);
/// A mistake of the client is no failure of the program.
[[nodiscard]] program_end end_of(const refused& r);

[[nodiscard]] refused refused_body(body_failure why);
/// The program exceeded a time limit: 504.
[[nodiscard]] refused refused_as_late(std::string cause);
/// No file descriptor is left for the pipes: 503.
[[nodiscard]] refused refused_for_descriptors();
/// The output of the program is no response: 502.
[[nodiscard]] refused refused_output(std::string cause);

}  // namespace server
