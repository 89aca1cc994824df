// SPDX-License-Identifier: MIT
//
// The errands of the steward. Each is performed by a job, a process forked for it, which may block for any length of
// time.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "io/descriptor.hpp"
#include "server/messages/steward_messages.hpp"
#include "server/sandbox/steward.hpp"

namespace server {

/// The report of a job to the steward, on a pipe. A job that becomes a program sends none, and closes the pipe by exec.
struct job_report {
    std::uint32_t done = 0;              // 0: the errand failed
    std::uint32_t is_named_by_root = 0;  // nobody but root can change what names the log
    std::uint64_t device = 0;            // of the socket file that was made
    std::uint64_t inode = 0;
};

/// Performs the errand, reports to the steward, sends the answer on `line`, and exits; or executes the program. The
/// report comes before the answer, because the server may send its next request as soon as it has the answer. REQUIRES:
/// this process was forked for the errand.
[[noreturn]] void perform(const errand_order& order, const steward_rules& rules, io::descriptor line,
                          io::descriptor report) noexcept;

/// Closes all descriptors but the standard streams and these.
void close_all_but(std::initializer_list<int> kept);

}  // namespace server
