// SPDX-License-Identifier: MIT
//
// Files. Calls that the kernel can answer from memory are made inline (RESOLVE_CACHED, RWF_NOWAIT); only those that
// would wait for a disk go to the ring or to the engine's threads. A deadline takes effect when the kernel returns: a
// read that a disk has started cannot be cancelled.
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

/// An open file. It belongs to no core.
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

/// A directory in which files are looked up, and the directories outside it into which symbolic links may lead.
class directory {
  public:
    directory() = default;
    explicit directory(descriptor d) : descriptor_(std::move(d)) {}
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(descriptor_); }
    [[nodiscard]] int number() const { return descriptor_.number(); }

    /// REQUIRES: `path` is absolute and without links, as real_path() returns it.
    void allow_links_into(std::string path) { links_into_.push_back(std::move(path)); }
    [[nodiscard]] const std::vector<std::string>& links_into() const { return links_into_; }

  private:
    descriptor descriptor_;
    std::vector<std::string> links_into_;
};

/// For the start of a program: may block.
[[nodiscard]] result<directory> open_directory(const std::string& path);
/// The absolute path of an open directory, without links.
[[nodiscard]] result<std::string> real_path(const directory& d);
/// Opens or creates a log file to append to. May block, but does not wait for the reader of a FIFO: that accepts bytes
/// until it is full.
[[nodiscard]] result<file> open_to_append(const std::string& path, mode_t mode = 0640);

/// A second open file for a standard stream, to append to. Writing to a pipe or a terminal through it does not block,
/// and other programs that share the stream are not affected. If the stream cannot be opened again, the file shares its
/// flags and stays blocking.
[[nodiscard]] file another_of_stream(int number);

/// A second descriptor of the same open file, for another owner. Reads and writes name their offset, so the two do not
/// affect each other.
[[nodiscard]] result<file> duplicate(const file& f);

struct file_status {
    std::uint64_t size = 0;
    std::chrono::nanoseconds modified{};  // since 1970; limited to the years 1843 to 2255
    std::chrono::nanoseconds changed{};   // last change of the inode
    std::uint64_t inode = 0;
    std::uint64_t device = 0;
    mode_t mode = 0;

    [[nodiscard]] bool is_regular() const { return S_ISREG(mode); }
    [[nodiscard]] bool is_directory() const { return S_ISDIR(mode); }
};

/// The status of an open file. Answered from memory, so it is not awaited.
[[nodiscard]] result<file_status> status(const file& f);
[[nodiscard]] result<file_status> status(const directory& d);

/// A file that was looked up but not opened. Opening a FIFO would let its writer continue, and opening a device may
/// have effects; so a caller first examines the status, and open_to_read() then opens this very file, even if the name
/// leads to another one by then.
class entry {
  public:
    entry() = default;
    entry(descriptor d, const file_status& what) : descriptor_(std::move(d)), what_(what) {}
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(descriptor_); }
    [[nodiscard]] int number() const { return descriptor_.number(); }
    [[nodiscard]] const file_status& status() const { return what_; }

  private:
    descriptor descriptor_;
    file_status what_;
};

/// Whether the kernel supports look_beneath(). Linux before 5.6 does not, nor does a seccomp filter that does not know
/// openat2(2), such as systemd's RestrictSUIDSGID=yes. For the start of a program.
[[nodiscard]] result<void> may_look_beneath();
/// Whether open_to_read() works; it needs /proc. For the start of a program.
[[nodiscard]] result<void> may_open_entries();
/// Looks up `path` in `root`. ".." and absolute paths may not lead outside (EXDEV). A symbolic link may lead anywhere
/// in the root or into one of its links_into(); other targets yield EXDEV, whether they exist or not. The target of a
/// link may not have a hidden name (ENOENT), that is one that begins with a dot, except .well-known at the root and
/// names that begin with two dots, such as ..data in a Kubernetes volume. EAGAIN: files were renamed again and again
/// while the kernel resolved a "..".
[[nodiscard]] csp::step<result<entry>> look_beneath(const directory& root, const std::string& path,
                                                    deadline until = no_deadline);
/// The absolute path, without links, of an entry.
[[nodiscard]] result<std::string> real_path(const entry& e);
/// Error ENXIO unless it is a regular file.
[[nodiscard]] result<file> open_to_read(const entry& e);

/// Reads at least one byte at `offset`. Returns the number of bytes, 0 at the end of the file.
[[nodiscard]] csp::step<result<std::size_t>> read(const file& f, std::span<char> into, std::uint64_t offset,
                                                  deadline until = no_deadline);

/// Writes all of `bytes`.
[[nodiscard]] csp::step<result<void>> write_all(const file& f, std::span<const char> bytes, std::uint64_t offset,
                                                deadline until = no_deadline);
/// The result of an append: the number of bytes written, and the error if not all were.
struct [[nodiscard]] appended {
    std::size_t bytes = 0;
    std::optional<error> problem;
};
/// Appends all of `bytes`, or as many as possible. REQUIRES: opened with O_APPEND.
[[nodiscard]] csp::step<appended> append_all(const file& f, std::span<const char> bytes, deadline until = no_deadline);

struct directory_entry {
    std::string name;
    bool is_directory = false;
    std::uint64_t size = 0;
    std::chrono::nanoseconds modified{};
};
/// The order of a listing: directories first, then by name, ignoring the case of ASCII letters; names that differ only
/// in case are ordered by their bytes.
[[nodiscard]] bool comes_before(const directory_entry& a, const directory_entry& b);

struct directory_part {
    std::vector<directory_entry> entries;  // in order
    bool has_more = false;                 // further entries follow
};
/// Lists the directory `path` in `root`: at most `most` files and directories, the first ones after `after`, which need
/// not exist. A link counts as its target; links that may not be followed (see look_beneath) or lead nowhere are left
/// out. REQUIRES: `most` > 0.
[[nodiscard]] csp::step<result<directory_part>> list(const directory& root, const std::string& path,
                                                     const std::optional<directory_entry>& after, std::size_t most,
                                                     deadline until = no_deadline);

}  // namespace io
