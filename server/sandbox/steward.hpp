// SPDX-License-Identifier: MIT
//
// The steward: a process of the operating system beside the server, started before the sandbox closes. It does for the
// server what the sandbox forbids to the server itself: it opens logs, listens at unix addresses, and starts programs.
//
//   server --steward_request--> steward --fork--> job, one for each request
//      ^                           |               |
//      +---- child_end ------------+               |
//      +---- steward_answer, descriptor -----------+
//
// The steward does not trust the server: it opens only what the configuration names, which it reads itself, and starts
// only the server's own program or one that the rule of may_run() allows. It has one thread, waits for nothing but
// messages and its children, and leaves all work that could block to its jobs.
//
// It ends when the server ends, and kills the programs that it has started, but not a successor that serves. It keeps
// the rights of the start: if that is root, a job keeps them only for paths that nobody else can change
// (is_roots_own()), and has the rights of `user` for others.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "io/socket_file.hpp"
#include "server/configuration/settings.hpp"
#include "server/messages/listening.hpp"
#include "server/messages/steward_line.hpp"
#include "server/service/inherited.hpp"
#include "server/service/privileges.hpp"

namespace server {

/// What the steward may do, as known at the start.
struct steward_rules {
    /// The file of a unix address on which this server listens.
    struct socket_place {
        std::string address;
        io::socket_identity file;
    };

    own_command command;                 // names the configuration, and the program to start as a successor
    std::optional<user_account> run_as;  // the user to which the server switches
    std::vector<std::string> logs;       // that the configuration names now, as it is written there
    std::vector<socket_place> made;      // inherited socket files, which may be removed
};
[[nodiscard]] steward_rules rules_of(const settings& s, const own_command& command, std::optional<user_account> run_as,
                                     const std::vector<listening>& inherited);

struct running_steward {
    pid_t process = 0;
    io::descriptor pidfd;
    steward_line line;
};

/// Starts the steward. An error is a sentence. REQUIRES: this process has one thread.
[[nodiscard]] std::expected<running_steward, std::string> start_steward(steward_rules rules);

/// Waits for the end of the steward, which follows the end of the last line to it, and kills it after 10 seconds.
void end_steward(pid_t steward) noexcept;

/// Whether a successor of a server that was started by `by` may run the program at `path`. A server started by root
/// runs only files of root, in directories of root, that nobody else can write. An error is a sentence.
[[nodiscard]] std::expected<void, std::string> may_run(const std::string& path, uid_t by);

}  // namespace server
