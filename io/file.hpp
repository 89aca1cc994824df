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

/// A directory beneath which files are looked for, with the directories outside it into which links may lead.
class directory {
  public:
    directory() = default;
    explicit directory(descriptor d) : descriptor_(std::move(d)) {}
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(descriptor_); }
    [[nodiscard]] int number() const { return descriptor_.number(); }

    /// REQUIRES: `path` is absolute and has no links, as real_path() yields it.
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

/// What a name leads to, looked at but not opened. Opening a pipe lets its writer go on, and opening a device may set
/// it in motion; so the status comes first, and open_to_read() opens that very file, whatever the name leads to by
/// then.
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

/// Whether the kernel lets us look beneath a directory. Linux before 5.6 does not, nor does a filter that does not know
/// openat2(2): systemd's RestrictSUIDSGID=yes is one. For the start of a program.
[[nodiscard]] result<void> may_look_beneath();
/// Whether an entry can be opened, which goes by way of /proc. For the start of a program.
[[nodiscard]] result<void> may_open_entries();
/// Looks at what `path` names beneath `root`. ".." and absolute paths may not lead out of it (EXDEV). A link may lead
/// anywhere beneath the root, or into one of its links_into(); elsewhere is EXDEV too, whether something is there or
/// not. What a link leads to may have no hidden name there (ENOENT): one that begins with a dot, but for .well-known at
/// the root, and for names that begin with two dots, such as the ..data of a Kubernetes volume.
/// EAGAIN: something was renamed again and again while the kernel followed a "..".
[[nodiscard]] csp::step<result<entry>> look_beneath(const directory& root, const std::string& path,
                                                    deadline until = no_deadline);
/// The absolute path, without links, of what was found.
[[nodiscard]] result<std::string> real_path(const entry& e);
/// ENXIO unless it is a regular file.
[[nodiscard]] result<file> open_to_read(const entry& e);

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
/// The order of a listing: directories first, then by name, without regard to the case of ASCII letters; names that
/// differ in nothing else go by their bytes.
[[nodiscard]] bool comes_before(const directory_entry& a, const directory_entry& b);

struct directory_part {
    std::vector<directory_entry> entries;  // in order
    bool has_more = false;                 // behind them
};
/// The files and directories in the directory that `path` names beneath `root`: the first of them, at most `most`, that
/// come behind `after`, which need not exist. A link counts as what it leads to; one that may not be followed (see
/// look_beneath), or leads nowhere, is left out. REQUIRES: `most` > 0.
[[nodiscard]] csp::step<result<directory_part>> list(const directory& root, const std::string& path,
                                                     const std::optional<directory_entry>& after, std::size_t most,
                                                     deadline until = no_deadline);

}  // namespace io
