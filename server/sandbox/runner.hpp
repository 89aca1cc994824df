// SPDX-License-Identifier: MIT
//
// The runner: a process of the operating system that starts programs for the server (cgi_rules). The steward forks one
// for each configuration that has programs.
//
//   server --runner_request, streams--> runner --starter--> program, in a group of its own
//      ^                                  |
//      +---- runner_answer, child_end ----+
//      +---- child_order ---------------->+
//
// The runner does not trust the server. It has read the configuration itself, and starts only what that names: a file
// beneath a directory of programs, one program, or an interpreter for a file of the site. The environment cannot make a
// program load something else (may_have()). Each program has the user, the limits and the niceness of its route.
//
// The runner has one thread, and waits only for messages and for the ends of programs. When a program has ended, the
// runner leaves it as a zombie until the server closes the line of that program, so that the id of its group is not
// reused. Then it kills what is left of the group. Processes that have left their group become children of the steward,
// which kills them when the server ends.
//
// The runner ends when its line is closed everywhere in the server, which then has dropped this configuration or has
// ended; it kills its programs before that.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/descriptor.hpp"
#include "io/error.hpp"
#include "server/configuration/settings.hpp"
#include "server/sandbox/launch.hpp"
#include "server/service/privileges.hpp"

namespace server {

/// What a runner may start for one route, with everything determined that does not depend on the request.
struct runnable {
    cgi_rules rules;
    std::string ending = {};               // of the files for an interpreter; empty: any
    std::vector<std::string> within = {};  // the directories of these files, without links
    std::optional<identity> user = {};     // to switch to
    enum class rights : bool { of_user, of_root } with = rights::of_user;
    std::vector<std::pair<int, rlimit>> limits = {};
    starter::memory memory = starter::memory::own;
};

/// All that a runner may do.
struct runner_rules {
    std::map<std::pair<std::uint32_t, std::uint32_t>, runnable> programs;  // by site and route
    std::string state;                                                     // the directory for bodies
    std::optional<identity> files_of = {};                                 // whose rights are used there; none: ours
    std::uint64_t digest = 0;                                              // digest_of_programs()
};

/// Reads the rules from the configuration, and looks up users and directories. If this process is root's and no program
/// needs another user than `run_as`, it switches to that user for good. An error is a sentence.
[[nodiscard]] std::expected<runner_rules, std::string> prepare_runner(const settings& s,
                                                                      const std::optional<user_account>& run_as);

/// A line to a runner: the server's end, which has room for the largest request, and the runner's.
[[nodiscard]] io::result<std::pair<io::descriptor, io::descriptor>> runner_line_ends();

/// Serves requests until the server's end of `line` is closed everywhere and all programs have ended. REQUIRES: this
/// process was forked for it.
void serve_as_runner(runner_rules rules, io::descriptor line) noexcept;

}  // namespace server
