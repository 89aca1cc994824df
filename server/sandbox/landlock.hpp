// SPDX-License-Identifier: MIT
//
// Landlock, by its system calls: closes the file system, except beneath a few directories, for this thread and all
// threads and processes that it starts later. It never opens again: a ruleset can only be narrowed. A file that is
// already open stays usable.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace server {

/// What the calling thread may still do with files. A path that does not exist is skipped.
struct file_rights {
    std::vector<std::string> sockets{};   // directories in which it makes, renames and removes sockets
    std::vector<std::string> devices{};   // that it opens for writing
    std::vector<std::string> readable{};  // directories and files; if empty, everything may be read
    enum class abstract_sockets : std::uint8_t { own, all } reaches = abstract_sockets::own;
};

/// Beyond files, also refuses connections by TCP, control of devices, signals to processes that this one did not start,
/// and, unless `reaches` permits it, the abstract unix sockets of others, as far as the kernel can do that.
///
/// Yields a few words for the line about the sandbox, also if this kernel or a container does not permit Landlock. An
/// error, as a sentence, if Landlock is there and fails.
[[nodiscard]] std::expected<std::string, std::string> restrict_files(const file_rights& to);

}  // namespace server
