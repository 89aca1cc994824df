// SPDX-License-Identifier: MIT
//
// Landlock, by its system calls, restricts the use of files by this thread and by all threads and processes that it
// starts later. The restrictions cannot be lifted, only added to. A file that is already open stays usable.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace server {

/// What the calling thread may still do with files. A path that does not exist is skipped.
struct file_rights {
    std::vector<std::string> sockets{};   // directories in which it makes and renames sockets, and removes files
    std::vector<std::string> devices{};   // that it opens for writing
    std::vector<std::string> readable{};  // directories and files; if empty, everything may be read
    enum class abstract_sockets : std::uint8_t { own, all } reaches = abstract_sockets::own;
};

/// Restricts this thread to `to`. As far as the kernel can, also refuses connections by TCP, control of devices,
/// signals to processes that this one does not start later, and, unless `reaches` permits it, the abstract unix sockets
/// of other programs.
///
/// Returns a few words for the line about the sandbox, also if the kernel or the container does not permit Landlock. An
/// error is a sentence: Landlock is there, but fails.
[[nodiscard]] std::expected<std::string, std::string> restrict_files(const file_rights& to);

}  // namespace server
