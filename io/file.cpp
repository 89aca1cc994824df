// SPDX-License-Identifier: MIT
#include "io/file.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <dirent.h>
#include <memory>
#include <string_view>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <climits>

#include "io/file_call.hpp"
#include "io/place.hpp"

namespace io {
namespace {

template <class T>
result<T> failed()
{
    return std::unexpected(error::of_errno());
}

/// A 64-bit count of nanoseconds since 1970 ends in the year 2262, but file systems store later times. This function
/// limits times to a range that leaves room for sums and differences.
std::chrono::nanoseconds moment(std::int64_t seconds, std::uint32_t nanoseconds)
{
    constexpr std::int64_t first = -4'000'000'000;  // 1843
    constexpr std::int64_t last = 9'000'000'000;    // 2255
    if (seconds < first || seconds >= last) return std::chrono::seconds(std::clamp(seconds, first, last));
    return std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds);
}

result<file_status> status_of(int fd)
{
    // Uses the attributes of the inode in memory, without asking a remote server. For a local file system they are
    // always current.
    struct statx s;
    constexpr unsigned wanted = STATX_TYPE | STATX_MODE | STATX_SIZE | STATX_MTIME | STATX_CTIME | STATX_INO;
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, wanted, &s) != 0) return failed<file_status>();
    return file_status{.size = s.stx_size,
                       .modified = moment(s.stx_mtime.tv_sec, s.stx_mtime.tv_nsec),
                       .changed = moment(s.stx_ctime.tv_sec, s.stx_ctime.tv_nsec),
                       .inode = s.stx_ino,
                       .device = (std::uint64_t{s.stx_dev_major} << 32) | s.stx_dev_minor,
                       .mode = s.stx_mode};
}

// ---- looking up names

/// Follows no links, and neither ".." nor absolute paths out of the root.
constexpr std::uint64_t straight = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
/// Follows all links; is_served() then checks the place of the target.
constexpr std::uint64_t through_links = RESOLVE_NO_MAGICLINKS;

open_how look_by(std::uint64_t resolve)
{
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = resolve;
    return how;
}

int openat2(int root, const char* path, open_how how)
{
    return static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how));
}

csp::step<result<descriptor>> look(int root, const std::string& path, std::uint64_t resolve, deadline until)
{
    // First try without disk access: the kernel returns EAGAIN if it would have to wait for a disk.
    const open_how how = look_by(resolve);
    const int quick = openat2(root, path.c_str(), look_by(resolve | RESOLVE_CACHED));
    if (quick >= 0) co_return descriptor(quick);
    if (errno != EAGAIN && errno != EINVAL) co_return failed<descriptor>();  // EINVAL: Linux before 5.12

    // With RESOLVE_BENEATH the kernel returns EAGAIN for a ".." if anything on the machine is renamed at the same time.
    // openat2(2) recommends to try again; a few attempts nearly always suffice.
    for (int tries_left = 50;; --tries_left) {
        detail::file_call call(detail::file_action::open, root, until, std::source_location::current());
        call.path = path.c_str();
        call.how = how;
        const auto found = co_await call;
        if (found) co_return descriptor(static_cast<int>(*found));
        if (found.error().number != EAGAIN || tries_left == 0) co_return std::unexpected(found.error());
    }
}

std::array<char, 32> way_to(int fd)
{
    std::array<char, 32> way{};
    std::snprintf(way.data(), way.size(), "/proc/self/fd/%d", fd);
    return way;
}

result<std::string> path_of(int fd)
{
    std::string path(PATH_MAX, '\0');
    const ssize_t size = readlink(way_to(fd).data(), path.data(), path.size());
    if (size < 0) return failed<std::string>();
    path.resize(static_cast<std::size_t>(size));
    return path;
}

/// Whether the target of a link may be served. Only the place of the target counts, not the path of the link.
result<void> is_served(const directory& root, int found)
{
    const auto path = path_of(found);
    const auto base = path_of(root.number());
    if (!path || !base) return std::unexpected(path ? base.error() : path.error());

    bool is_inside = false;
    if (auto names = names_beneath(*base, *path)) {
        is_inside = true;
        constexpr std::string_view well_known = "/.well-known";
        if (names_beneath(well_known, *names)) names->remove_prefix(well_known.size());
        if (!has_hidden_name(*names)) return {};
    }
    for (const std::string& allowed : root.links_into()) {
        const auto names = names_beneath(allowed, *path);
        if (!names) continue;
        is_inside = true;
        if (!has_hidden_name(*names)) return {};
    }
    return std::unexpected(error::of(is_inside ? ENOENT : EXDEV));
}

/// The error for a `path` that contains a link and leads nowhere. For links that lead out of the root the error is
/// always the same, so that it does not reveal which files exist there.
csp::step<error> why_nowhere(const directory& root, std::string path, error why, deadline until)
{
    for (auto slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/')) {
        path.resize(slash);
        const auto before = co_await look(root.number(), path, through_links, until);
        if (!before) continue;
        const auto served = is_served(root, before->number());
        co_return served ? why : served.error();
    }
    co_return why;
}

csp::step<result<descriptor>> look(const directory& root, const std::string& path, deadline until)
{
    auto found = co_await look(root.number(), path, straight, until);
    if (found || found.error().number != ELOOP) co_return found;

    found = co_await look(root.number(), path, through_links, until);
    if (!found) co_return std::unexpected(co_await why_nowhere(root, path, found.error(), until));
    if (const auto served = is_served(root, found->number()); !served) co_return std::unexpected(served.error());
    co_return found;
}

constexpr auto at_the_end = ~std::uint64_t{0};

/// Writes at least one byte.
csp::step<result<std::size_t>> write_some(int fd, std::span<const char> bytes, std::uint64_t offset, deadline until)
{
    detail::file_call call(detail::file_action::write, fd, until, std::source_location::current());
    call.memory = const_cast<char*>(bytes.data());
    call.size = bytes.size();
    call.offset = offset;
    call.is_of_log = offset == at_the_end;
    const auto written = co_await call;
    if (!written) co_return std::unexpected(written.error());
    if (*written == 0) co_return std::unexpected(error::of(ENOSPC));
    co_return static_cast<std::size_t>(*written);
}

}  // namespace

result<directory> open_directory(const std::string& path)
{
    descriptor d(::open(path.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC));
    if (!d) return failed<directory>();
    return directory(std::move(d));
}

result<std::string> real_path(const directory& d) { return path_of(d.number()); }

result<void> may_look_beneath()
{
    const descriptor d(openat2(AT_FDCWD, ".", look_by(straight)));
    if (!d && (errno == ENOSYS || errno == EPERM)) return failed<void>();
    return {};
}

result<void> may_open_entries()
{
    if (access("/proc/self/fd", X_OK) != 0) return failed<void>();
    return {};
}

namespace {

bool is_pipe_or_terminal(int fd)
{
    struct stat s{};
    return fstat(fd, &s) == 0 && (S_ISFIFO(s.st_mode) || (S_ISCHR(s.st_mode) && isatty(fd) != 0));
}

}  // namespace

result<file> open_to_append(const std::string& path, mode_t mode)
{
    constexpr int how = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    descriptor d(::open(path.c_str(), O_WRONLY | how, mode));
    // A FIFO without a reader: opened for reading too, it accepts bytes.
    if (!d && errno == ENXIO) d = descriptor(::open(path.c_str(), O_RDWR | how, mode));
    if (!d) return failed<file>();
    // Without O_NONBLOCK: for a file on a disk the ring would return EAGAIN instead of waiting.
    if (!is_pipe_or_terminal(d.number())) fcntl(d.number(), F_SETFL, O_APPEND);
    return file(std::move(d));
}

file another_of_stream(int number)
{
    if (is_pipe_or_terminal(number)) {
        const std::string path = "/proc/self/fd/" + std::to_string(number);
        descriptor own(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
        if (own) return file(std::move(own));
    }
    return file(descriptor(fcntl(number, F_DUPFD_CLOEXEC, 0)));
}

result<file> duplicate(const file& f)
{
    descriptor d(fcntl(f.number(), F_DUPFD_CLOEXEC, 0));
    if (!d) return failed<file>();
    return file(std::move(d));
}

result<file_status> status(const file& f) { return status_of(f.number()); }
result<file_status> status(const directory& d) { return status_of(d.number()); }

csp::step<result<entry>> look_beneath(const directory& root, const std::string& path, deadline until)
{
    if (path.find('\0') != std::string::npos) co_return std::unexpected(error::of(EINVAL));
    auto found = co_await look(root, path, until);
    if (!found) co_return std::unexpected(found.error());
    const auto what = status_of(found->number());
    if (!what) co_return std::unexpected(what.error());
    co_return entry(std::move(*found), *what);
}

result<std::string> real_path(const entry& e) { return path_of(e.number()); }

result<file> open_to_read(const entry& e)
{
    if (!e.status().is_regular()) return std::unexpected(error::of(ENXIO));
    // O_NONBLOCK: do not wait while another process has a lease on the file (fcntl(2)).
    descriptor d(::open(way_to(e.number()).data(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!d) return failed<file>();
    return file(std::move(d));
}

csp::step<result<std::size_t>> read(const file& f, std::span<char> into, std::uint64_t offset, deadline until)
{
    const iovec piece{into.data(), into.size()};
    const ssize_t at_once = preadv2(f.number(), &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    if (at_once >= 0) co_return static_cast<std::size_t>(at_once);
    if (errno != EAGAIN && errno != EOPNOTSUPP) co_return failed<std::size_t>();

    detail::file_call call(detail::file_action::read, f.number(), until, std::source_location::current());
    call.memory = into.data();
    call.size = into.size();
    call.offset = offset;
    const auto got = co_await call;
    if (!got) co_return std::unexpected(got.error());
    co_return static_cast<std::size_t>(*got);
}

csp::step<result<void>> write_all(const file& f, std::span<const char> bytes, std::uint64_t offset, deadline until)
{
    while (!bytes.empty()) {
        const auto written = co_await write_some(f.number(), bytes, offset, until);
        if (!written) co_return std::unexpected(written.error());
        bytes = bytes.subspan(*written);
        offset += *written;
    }
    co_return result<void>();
}

csp::step<appended> append_all(const file& f, std::span<const char> bytes, deadline until)
{
    appended so_far;
    while (so_far.bytes < bytes.size()) {
        const auto written = co_await write_some(f.number(), bytes.subspan(so_far.bytes), at_the_end, until);
        if (!written) {
            so_far.problem = written.error();
            break;
        }
        so_far.bytes += *written;
    }
    co_return so_far;
}

namespace {

char folded(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool comes_before(const directory_entry& a, const directory_entry& b)
{
    if (a.is_directory != b.is_directory) return a.is_directory;
    const auto [in_a, in_b] = std::ranges::mismatch(a.name, b.name, {}, folded, folded);
    if (in_a == a.name.end() && in_b == b.name.end()) return a.name < b.name;
    if (in_a == a.name.end() || in_b == b.name.end()) return in_a == a.name.end();
    // Unsigned bytes of UTF-8 are in the order of code points.
    return static_cast<unsigned char>(folded(*in_a)) < static_cast<unsigned char>(folded(*in_b));
}

namespace {

struct listing {
    const directory& root;
    const entry& listed;
    const std::optional<directory_entry>& after;
    std::size_t most;
    directory_part part{};  // a heap while it is collected, with the last entry on top

    [[nodiscard]] std::int64_t make()
    {
        descriptor opened(openat(listed.number(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!opened) return -errno;
        const std::unique_ptr<DIR, decltype([](DIR* d) { closedir(d); })> stream(fdopendir(opened.number()));
        if (stream == nullptr) return -errno;
        const int directory = std::move(opened).release();  // the stream closes it
        for (;;) {
            errno = 0;
            const dirent* const next = readdir(stream.get());
            if (next == nullptr) break;
            take(directory, *next);
        }
        if (errno != 0) return -errno;
        std::ranges::sort_heap(part.entries, comes_before);
        return 0;
    }

  private:
    void take(int directory, const dirent& found)
    {
        directory_entry next{.name = found.d_name, .is_directory = found.d_type == DT_DIR};
        if (next.name == "." || next.name == "..") return;
        // In a large directory most entries are outside this part and need no look-up.
        const bool is_link_or_unknown = found.d_type != DT_DIR && found.d_type != DT_REG;
        if (!is_link_or_unknown && !is_wanted(next)) return;
        if (look(directory, next) && is_wanted(next)) keep(std::move(next));
    }
    [[nodiscard]] bool is_wanted(const directory_entry& e)
    {
        if (after && !comes_before(*after, e)) return false;
        if (part.entries.size() < most) return true;
        part.has_more = true;
        return comes_before(e, part.entries.front());
    }
    void keep(directory_entry e)
    {
        if (part.entries.size() == most) {
            std::ranges::pop_heap(part.entries, comes_before);
            part.entries.pop_back();
        }
        part.entries.push_back(std::move(e));
        std::ranges::push_heap(part.entries, comes_before);
    }
    /// Reads the status of the entry. Returns whether it is a file or a directory, and not a link that may not be
    /// followed.
    [[nodiscard]] bool look(int directory, directory_entry& into) const
    {
        struct stat s;
        if (fstatat(directory, into.name.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) return false;
        if (S_ISLNK(s.st_mode)) {
            const descriptor led_to(openat2(directory, into.name.c_str(), look_by(through_links)));
            if (!led_to || !is_served(root, led_to.number()) || fstat(led_to.number(), &s) != 0) return false;
        }
        into.is_directory = S_ISDIR(s.st_mode);
        into.size = static_cast<std::uint64_t>(s.st_size);
        into.modified = moment(s.st_mtim.tv_sec, static_cast<std::uint32_t>(s.st_mtim.tv_nsec));
        return S_ISREG(s.st_mode) || S_ISDIR(s.st_mode);
    }
};

}  // namespace

csp::step<result<directory_part>> list(const directory& root, const std::string& path,
                                       const std::optional<directory_entry>& after, std::size_t most, deadline until)
{
    CSP_CHECK(most > 0, "a part of a listing has entries");
    const auto listed = co_await look_beneath(root, path, until);
    if (!listed) co_return std::unexpected(listed.error());
    listing made{root, *listed, after, most};
    detail::file_call call(detail::file_action::function, -1, until, std::source_location::current());
    call.function = [](void* l) { return static_cast<listing*>(l)->make(); };
    call.argument = &made;
    if (const auto done = co_await call; !done) co_return std::unexpected(done.error());
    co_return std::move(made.part);
}

}  // namespace io
