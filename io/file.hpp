// SPDX-License-Identifier: MIT
//
// Files. What the kernel can answer from memory is asked inline (RESOLVE_CACHED, RWF_NOWAIT); only what would wait for
// a disk goes to the ring or to the engine's threads. A deadline ends the waiting as soon as the kernel lets go: a
// read that a disk is busy with cannot be taken back.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <optional>
#include <span>
#include <string>
#include <sys/stat.h>
#include <sys/types.h>
#include <vector>

#include "csp/process.hpp"
#include "io/descriptor.hpp"
#include "io/error.hpp"

namespace io {

/// An open file. Belongs to no core.
class file {
  public:
    file() = default;
    explicit file(descriptor d) : descriptor_(std::move(d)) {}
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(descriptor_); }
    [[nodiscard]] int number() const { return descriptor_.number(); }
    [[nodiscard]] descriptor release() && { return std::move(descriptor_); }

  private:
    descriptor descriptor_;
};

/// A directory beneath which files are opened.
class directory {
  public:
    directory() = default;
    explicit directory(descriptor d) : descriptor_(std::move(d)) {}
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(descriptor_); }
    [[nodiscard]] int number() const { return descriptor_.number(); }

  private:
    descriptor descriptor_;
};

/// For the start of a program: may block.
[[nodiscard]] result<directory> open_directory(const std::string& path);
/// Opens, or makes, a file to append to: for logs. May block, but not for somebody who reads a FIFO: that takes bytes
/// from now on, until it is full.
[[nodiscard]] result<file> open_to_append(const std::string& path, mode_t mode = 0640);
/// The same while the program runs: done by a thread.
[[nodiscard]] csp::step<result<file>> open_again_to_append(const std::string& path, mode_t mode = 0640);

/// Another of a standard stream, to append to. Writing to a pipe or a terminal by it does not block, and whoever shares
/// the stream with us notices nothing of that; but for one that may not be opened anew, which stays as it was.
[[nodiscard]] file another_of_stream(int number);

/// Another of the same open file, to be kept by somebody else. The two share no place: reads and writes name theirs.
[[nodiscard]] result<file> duplicate(const file& f);

/// Whether the kernel lets us open beneath a directory. Linux before 5.6 does not, nor does a filter that does not know
/// openat2(2): systemd's RestrictSUIDSGID=yes is one. For the start of a program.
[[nodiscard]] result<void> may_open_beneath();
/// Opens what `path` names beneath `root`. The kernel refuses (EXDEV) whatever leads out of it: "..", absolute paths,
/// symbolic links. Nothing is created, and a FIFO or a device does not hang.
/// REQUIRES: `flags` has none of O_CREAT, O_TMPFILE, O_TRUNC.
[[nodiscard]] csp::step<result<file>> open_beneath(const directory& root, const std::string& path, int flags = O_RDONLY,
                                                   deadline until = no_deadline);

struct file_status {
    std::uint64_t size = 0;
    std::chrono::nanoseconds modified{};  // since 1970; from 1843 to 2255, whatever the file system has
    std::chrono::nanoseconds changed{};   // the inode
    std::uint64_t inode = 0;
    std::uint64_t device = 0;
    mode_t mode = 0;

    [[nodiscard]] bool is_regular() const { return S_ISREG(mode); }
    [[nodiscard]] bool is_directory() const { return S_ISDIR(mode); }
};

/// Of an open file: answered from memory, so it needs no awaiting.
[[nodiscard]] result<file_status> status(const file& f);
[[nodiscard]] result<file_status> status(const directory& d);

/// Reads at least one byte from `offset` on; yields how many, 0 at the end of the file.
[[nodiscard]] csp::step<result<std::size_t>> read(const file& f, std::span<char> into, std::uint64_t offset,
                                                  deadline until = no_deadline);

/// Writes all of `bytes`.
[[nodiscard]] csp::step<result<void>> write_all(const file& f, std::span<const char> bytes, std::uint64_t offset,
                                                deadline until = no_deadline);
/// What came of an append: so much is at the end of the file, and why not all.
struct [[nodiscard]] appended {
    std::size_t bytes = 0;
    std::optional<error> problem;
};
/// Writes all of `bytes` at the end, or as much of them as fits. REQUIRES: opened with O_APPEND.
[[nodiscard]] csp::step<appended> append_all(const file& f, std::span<const char> bytes, deadline until = no_deadline);

struct directory_entry {
    std::string name;
    bool is_directory = false;
    std::uint64_t size = 0;
    std::chrono::nanoseconds modified{};
};
/// The files and directories in the directory that `path` names beneath `root`, in no order; at most `most`. A link
/// counts as what it leads to; one that leads out of the root, or nowhere, is left out.
[[nodiscard]] csp::step<result<std::vector<directory_entry>>> list(const directory& root, const std::string& path,
                                                                   std::size_t most, deadline until = no_deadline);

}  // namespace io
