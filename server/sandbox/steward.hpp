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
// only a program that may_run() allows. It has one thread, waits only for messages and for its children, and leaves all
// work that could block to its jobs.
//
// It ends when the server ends. Before that it kills its jobs and the processes that they have left behind, but not a
// successor. It keeps the rights with which the server was started. If these are root's, a job drops them for the
// rights of `user`, unless only root can change which file its path names (is_roots_own()).
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

    own_command command;                 // the command line, which names the configuration; a successor has the same
    std::optional<user_account> run_as;  // the user to which the server switches
    std::vector<std::string> logs;       // that the configuration names now, as it is written there
    std::vector<socket_place> made;      // the socket files of this server, which may be removed
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

/// Waits until the steward has ended, as it does when all lines to it are closed, but at most for 10 seconds. Then it
/// kills the steward, if no sandbox forbids that.
void end_steward(pid_t steward) noexcept;

/// Whether a successor of a server that was started by `by` may run the program at `path`. A server started by root
/// runs only files of root, in directories of root, that nobody else can write. An error is a sentence.
[[nodiscard]] std::expected<void, std::string> may_run(const std::string& path, uid_t by);

}  // namespace server
