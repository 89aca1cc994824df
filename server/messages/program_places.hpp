// SPDX-License-Identifier: MIT
//
// The messages by which cgi_page asks cgi_desk for a place: how many programs run at once is limited for all cores
// together, and requests beyond the limit wait in the order in which they came.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "csp/bridge.hpp"
#include "csp/mobile.hpp"
#include "server/messages/request_id.hpp"

namespace server {

enum class place_answer : std::uint8_t {
    granted,   // the client owes a place_returned
    too_many,  // as many requests wait as may
    too_long   // the request has waited as long as it may, or was withdrawn
};

/// Asks for a place. The answer comes when one is free.
struct place_request {
    std::string of;  // the route, for the statistics too: its site and path
    std::uint32_t running = 0;
    std::uint32_t waiting = 0;
    std::chrono::seconds wait{};
    request_id by;
    csp::bridge_out<place_answer> answer = {};
};
/// The request is not needed any more. It is answered all the same, at once.
struct place_withdrawn {
    std::string of;
    request_id by;
};
/// How a program ended.
enum class program_end : std::uint8_t { answered, failed, timed_out, client_left };
struct place_returned {
    std::string of;
    program_end how = program_end::answered;
};

/// What is known of the programs of one route.
struct places_view {
    std::string of;
    std::uint32_t running = 0;
    std::uint32_t waiting = 0;
    std::uint32_t most_running = 0;
    std::uint32_t most_waiting = 0;
    std::uint64_t started = 0;
    std::uint64_t failed = 0;
    std::uint64_t timed_out = 0;
    std::uint64_t left = 0;     // by their clients
    std::uint64_t refused = 0;  // for want of a place
};
struct programs_view {
    std::vector<places_view> routes;
};
struct places_question {
    csp::bridge_out<programs_view> answer = {};
};

using place_order = std::variant<place_request, place_withdrawn, place_returned, places_question>;
static_assert(csp::mobile<place_order>);

}  // namespace server
