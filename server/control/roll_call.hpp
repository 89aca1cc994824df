// SPDX-License-Identifier: MIT
//
// Asking all cores at once how they are: for the control socket, for the watchdog, and for whoever waits for the end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "csp/bridge.hpp"
#include "csp/channel.hpp"
#include "csp/mobile.hpp"
#include "csp/process.hpp"
#include "server/front_end/parking.hpp"

namespace server {

enum class detail : std::uint8_t { counts, processes };

struct core_question {
    detail wanted = detail::counts;
};

/// Processes of one core that do the same in the same place.
struct like_processes {
    unsigned count = 0;
    std::string name;
    std::string where;
    std::string waits_for;  // of the first of them
};

struct core_answer {
    unsigned core = 0;
    head_count heads;
    std::vector<like_processes> processes;  // when they were wanted; those that came first, first
};
static_assert(csp::mobile<core_answer>);

/// What all cores have answered, in their order.
struct roll {
    std::vector<core_answer> cores;
    [[nodiscard]] head_count heads() const;
};

struct roll_question {
    detail wanted = detail::counts;
    csp::out<roll> answer;
};
static_assert(csp::mobile<roll_question>);

/// Answers for one core.
///
///   asked          core_question    from the roll call
///   to_parking     count_question
///   from_parking   head_count       at once; nothing when parking has ended
///   to_roll_call   core_answer
///
/// Deadlock: a client of parking, which always answers, and a server to the roll call, which always takes.
csp::process watchman(csp::in<core_question> asked, csp::out<count_question> to_parking,
                      csp::in<head_count> from_parking, csp::bridge_out<core_answer> to_roll_call);

/// The same where no connections are.
csp::process lone_watchman(csp::in<core_question> asked, csp::bridge_out<core_answer> to_roll_call);

/// Asks every core, one question at a time. Ends when nobody can ask any more, and then the watchmen do.
///
///   asked      roll_question   each with the channel for its answer
///   to_cores   core_question   one for each core
///   answers    core_answer     one for each question that was taken
///
/// Deadlock: a client of the watchmen. Who asks must take the answer.
csp::process roll_call(csp::in<roll_question> asked, std::vector<csp::bridge_out<core_question>> to_cores,
                       csp::in<core_answer> answers);

}  // namespace server
