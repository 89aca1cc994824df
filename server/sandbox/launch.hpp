// SPDX-License-Identifier: MIT
//
// Starts other programs: for an upgrade (errands.cpp) and for requests (runner.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "io/descriptor.hpp"
#include "server/service/privileges.hpp"

namespace server {

/// A file whose place is checked with the rights of the program, just before that starts. It must be a regular file.
/// Links are followed, but may not lead to a hidden name, as in io::look_beneath().
struct checked_file {
    std::string directory = {};            // it must be beneath this one, and `path` is relative to it; or empty:
    std::string path;                      // absolute, and beneath one of `within`
    std::vector<std::string> within = {};  // absolute paths without links
};

/// A program to execute, and everything that is set between fork and exec.
struct launch {
    std::string program;                   // a path; PATH is not searched
    std::vector<std::string> arguments;    // argv[0] included
    std::vector<std::string> environment;  // "NAME=value"
    // Our descriptor, and its number in the program. Standard streams that are not listed stay; all other descriptors
    // are closed.
    std::vector<std::pair<io::descriptor, int>> descriptors;
    std::optional<checked_file> file = {};            // the program, or what it is to interpret
    std::string directory = {};                       // working directory; empty: ours
    std::optional<identity> user = {};                // to switch to, for good
    std::vector<std::pair<int, rlimit>> limits = {};  // RLIMIT_CPU and so on
    int niceness = 0;                                 // added to ours
    int death_signal = 0;                             // sent to the program when its parent ends; 0: none
    enum class group : bool { ours, its_own } process_group = group::ours;
    enum class signals : bool { of_any_effect, of_default_effect } ours = signals::of_any_effect;
};

/// Why a program was not executed. Trivial, since it comes from another process.
struct launch_failure {
    enum class step : std::uint32_t {
        none,
        process,  // no process could be made
        descriptors,
        bounds,  // niceness and limits
        group,
        user,
        parent,       // it has ended
        file,         // checked_file; EXDEV: it is outside
        directory,    // the working directory
        program,      // execve(2)
        interpreter,  // likewise: what the program needs is missing, such as the interpreter of its first line
    };

    step at = step::none;
    int error = 0;
};
/// A few words, with the path that they are about.
[[nodiscard]] std::string text_of(const launch_failure& why, const launch& what);

/// A launch with everything prepared that needs memory.
class prepared_launch {
  public:
    explicit prepared_launch(launch what);

    /// Executes the program in this process. Returns only if that fails. In the program all signals have their default
    /// effect, and none is blocked. It makes system calls only, and writes to no memory but its stack and its own
    /// members, so a process that shares the memory of its parent may call it. REQUIRES: `parent` is the parent.
    launch_failure execute(pid_t parent) noexcept;
    [[nodiscard]] const launch& what() const { return what_; }
    [[nodiscard]] launch take() && { return std::move(what_); }

  private:
    launch_failure set_up(pid_t parent) noexcept;

    launch what_;
    std::vector<std::pair<int, int>> numbers_;  // of the descriptors
    std::vector<char*> arguments_;
    std::vector<char*> environment_;
};

/// Executes the program in this process. Returns only if that fails, with the reason.
[[nodiscard]] std::string become(launch what);

/// Starts programs as children of this process.
///
/// Where possible, the child borrows the memory of its parent, as after vfork(2), and the parent waits until the child
/// has executed the program: a fork copies page tables and later pages. For trivial programs, from start to end, on a
/// virtual machine of 2 cores:
///
///                          linked statically   dynamically
///     fork(2)                  532 µs             653 µs     (619 and 761 µs if 4 MB are in use instead of 1)
///     posix_spawn(3)           433 µs             556 µs
///     as here                  390 µs             513 µs
///
/// But while a file system does not answer, the child waits for it, so the parent and all other requests would wait
/// too. And if the child runs as another user, any process of that user could stop it. In these cases the child has
/// memory of its own, and the parent does not wait.
class starter {
  public:
    enum class memory : std::uint8_t { borrowed, own };

    struct started {
        pid_t pid = 0;
        io::descriptor pidfd;
        // If the memory is its own: readable with a launch_failure, or at its end when the program runs.
        io::descriptor report;
    };

    starter();
    [[nodiscard]] std::expected<started, launch_failure> start(prepared_launch& what, memory of_child);

  private:
    static constexpr std::size_t stack_bytes = 64UL * 1024;

    std::unique_ptr<std::byte[]> stack_;  // of the child
};

/// Gives every signal its default effect in this process, also those that the C library reserves.
void reset_signal_effects() noexcept;

/// Whether a file system that this path is on is known to answer: a local one.
[[nodiscard]] bool is_on_local_file_system(const std::string& path);

}  // namespace server
