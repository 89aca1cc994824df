// SPDX-License-Identifier: MIT
#include "server/sandbox/launch.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <fmt/core.h>

#include "io/child.hpp"
#include "io/place.hpp"
#include "server/sandbox/system_calls.hpp"

namespace server {
namespace {

using step = launch_failure::step;

launch_failure failed_at(step at) noexcept { return {.at = at, .error = errno}; }

/// Gives the descriptors their numbers in the program. A number may be that of a descriptor still to be passed, so such
/// ones are first moved above the highest.
launch_failure place(std::vector<std::pair<int, int>>& numbers) noexcept
{
    int above = STDERR_FILENO;
    for (const auto& [ours, number] : numbers) above = std::max(above, number);
    for (auto& [ours, number] : numbers) {
        if (ours <= above) ours = ::fcntl(ours, F_DUPFD_CLOEXEC, above + 1);
        if (ours < 0) return failed_at(step::descriptors);
    }
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);  // dup2() leaves the copies open
    for (const auto& [ours, number] : numbers) {
        if (::dup2(ours, number) < 0) return failed_at(step::descriptors);
    }
    return {};
}

/// Niceness and limits before the switch of the user, since only root can raise them.
launch_failure set_bounds(const launch& what) noexcept
{
    errno = 0;
    if (what.niceness != 0 && ::nice(what.niceness) == -1 && errno != 0) return failed_at(step::bounds);
    for (const auto& [resource, limit] : what.limits) {
        if (::setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return failed_at(step::bounds);
    }
    return {};
}

/// Sets the death signal last, since the switch of the user clears it.
launch_failure set_identity(const launch& what, pid_t parent) noexcept
{
    if (what.process_group == launch::group::its_own && ::setpgid(0, 0) != 0) return failed_at(step::group);
    if (what.user) {
        if (const int failed = assume(*what.user); failed != 0) return {.at = step::user, .error = failed};
    }
    // Set even if it is 0: the job that becomes a successor has a death signal, and the successor must not.
    if (::prctl(PR_SET_PDEATHSIG, what.death_signal) != 0) return failed_at(step::parent);
    return what.death_signal == 0 || ::getppid() == parent ? launch_failure()
                                                           : launch_failure{.at = step::parent, .error = ESRCH};
}

// ---- the place of a file, by system calls and without memory

int open_path(int directory, const char* path, std::uint64_t flags, std::uint64_t resolve) noexcept
{
    constexpr int most_tries = 50;
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | flags;
    how.resolve = resolve;
    int found = -1;
    // EAGAIN: something on the machine was renamed meanwhile; see look() in io/file.cpp.
    for (int tries = 0; tries < most_tries; ++tries) {
        found = static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
        if (found >= 0 || errno != EAGAIN) break;
    }
    return found;
}

class real_path_of {
  public:
    explicit real_path_of(int found) noexcept
    {
        std::array<char, 32> way{};
        (void)std::snprintf(way.data(), way.size(), "/proc/self/fd/%d", found);
        const ssize_t size = ::readlink(way.data(), text_.data(), text_.size());
        size_ = size < 0 ? 0 : static_cast<std::size_t>(size);
    }
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), size_}; }

  private:
    std::array<char, PATH_MAX> text_{};
    std::size_t size_ = 0;
};

enum class place_of_file : std::uint8_t { outside, hidden, served };
place_of_file place_in(std::string_view base, std::string_view path) noexcept
{
    auto names = io::names_beneath(base, path);
    if (!names || base.empty()) return place_of_file::outside;
    constexpr std::string_view well_known = "/.well-known";
    if (io::names_beneath(well_known, *names)) names->remove_prefix(well_known.size());
    return io::has_hidden_name(*names) ? place_of_file::hidden : place_of_file::served;
}

launch_failure judge(place_of_file where) noexcept
{
    if (where == place_of_file::served) return {};
    return {.at = step::file, .error = where == place_of_file::hidden ? ENOENT : EXDEV};
}

/// Checks the place of a file that a link led to.
launch_failure check_target(const checked_file& file, int directory, int found) noexcept
{
    const real_path_of target(found);
    if (directory >= 0) return judge(place_in(real_path_of(directory).view(), target.view()));
    auto best = place_of_file::outside;
    for (const std::string& base : file.within) best = std::max(best, place_in(base, target.view()));
    return judge(best);
}

launch_failure check(const checked_file& file) noexcept
{
    int directory = -1;
    int found = -1;
    if (!file.directory.empty()) {
        directory = open_path(AT_FDCWD, file.directory.c_str(), O_DIRECTORY, RESOLVE_NO_MAGICLINKS);
        if (directory < 0) return failed_at(step::file);
        found =
            open_path(directory, file.path.c_str(), 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
        if (found < 0 && errno != ELOOP) return failed_at(step::file);
    }
    if (found < 0) {
        found = open_path(directory < 0 ? AT_FDCWD : directory, file.path.c_str(), 0, RESOLVE_NO_MAGICLINKS);
        if (found < 0) return failed_at(step::file);
        if (const auto wrong = check_target(file, directory, found); wrong.at != step::none) return wrong;
    }
    struct stat what{};
    if (::fstat(found, &what) != 0) return failed_at(step::file);
    return S_ISREG(what.st_mode) ? launch_failure() : launch_failure{.at = step::file, .error = EACCES};
}

/// What a new process gets.
struct task {
    prepared_launch* what;
    pid_t parent;
    int report;  // -1: `failed` is in the memory of the parent
    launch_failure failed = {};
};

int carry_out(void* of) noexcept
{
    task& t = *static_cast<task*>(of);
    t.failed = t.what->execute(t.parent);
    if (t.report >= 0) (void)!::write(t.report, &t.failed, sizeof t.failed);
    ::_exit(EXIT_FAILURE);
}

std::string_view words_for(const launch_failure& why)
{
    switch (why.at) {
        case step::none:
            break;
        case step::process:
            return "no process can be started";
        case step::descriptors:
            return "a descriptor cannot be passed";
        case step::bounds:
            return "its limits cannot be set";
        case step::group:
            return "its process group cannot be made";
        case step::user:
            return "its user cannot be switched";
        case step::parent:
            return "its parent has ended";
        case step::file:
        case step::directory:
        case step::program:
        case step::interpreter:
            return "it cannot be executed";
    }
    return "it was not started";
}

}  // namespace

void reset_signal_effects() noexcept
{
    // By the system call, since the C library leaves alone the two signals that it uses itself.
    struct {
        void (*handler)(int) = SIG_DFL;
        unsigned long flags = 0;
        void (*restorer)() = nullptr;
        std::uint64_t mask = 0;
    } const by_default;
    for (int signal = 1; signal < NSIG; ++signal) {
        ::syscall(SYS_rt_sigaction, signal, &by_default, nullptr, sizeof by_default.mask);
    }
}

std::string text_of(const launch_failure& why, const launch& what)
{
    const std::string_view error = std::strerror(why.error);
    switch (why.at) {
        case step::file:
            if (why.error == EXDEV) return fmt::format("{} leads out of the directory", what.file->path);
            if (why.error == EACCES)
                return fmt::format("{} is not a regular file, or may not be read", what.file->path);
            return fmt::format("{}: {}", what.file->path, error);
        case step::directory:
            return fmt::format("working directory {}: {}", what.directory, error);
        case step::interpreter:
            return fmt::format("{}: the interpreter that its first line names, or its loader, does not exist",
                               what.program);
        case step::program:
            if (why.error == ENOEXEC)
                return fmt::format("{} is neither a program of this machine nor a script that begins with #!",
                                   what.program);
            if (why.error == EACCES)
                return fmt::format("{} is not executable, or its interpreter or file system is not", what.program);
            if (why.error == ETXTBSY) return fmt::format("{} is being written", what.program);
            return fmt::format("{}: {}", what.program, error);
        default:
            return fmt::format("{}: {}: {}", what.program, words_for(why), error);
    }
}

prepared_launch::prepared_launch(launch what)
    : what_(std::move(what)),
      arguments_(io::pointers_to(what_.arguments)),
      environment_(io::pointers_to(what_.environment))
{
    numbers_.reserve(what_.descriptors.size());
    for (const auto& [ours, number] : what_.descriptors) numbers_.emplace_back(ours.number(), number);
}

launch_failure prepared_launch::set_up(pid_t parent) noexcept
{
    if (const auto failed = place(numbers_); failed.at != step::none) return failed;
    if (const auto failed = set_bounds(what_); failed.at != step::none) return failed;
    if (const auto failed = set_identity(what_, parent); failed.at != step::none) return failed;
    if (what_.file) {
        if (const auto failed = check(*what_.file); failed.at != step::none) return failed;
    }
    if (!what_.directory.empty() && ::chdir(what_.directory.c_str()) != 0) return failed_at(step::directory);
    return {};
}

launch_failure prepared_launch::execute(pid_t parent) noexcept
{
    if (const auto failed = set_up(parent); failed.at != step::none) return failed;
    if (what_.ours == launch::signals::of_any_effect) reset_signal_effects();
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(what_.program.c_str(), arguments_.data(), environment_.data());
    const int error = errno;
    // ENOENT also means that the program exists, and its interpreter does not.
    const bool is_there = error == ENOENT && ::faccessat(AT_FDCWD, what_.program.c_str(), F_OK, 0) == 0;
    return {.at = is_there ? step::interpreter : step::program, .error = error};
}

std::string become(launch what)
{
    prepared_launch prepared(std::move(what));
    const launch_failure why = prepared.execute(::getppid());
    return text_of(why, prepared.what());
}

starter::starter() : stack_(std::make_unique<std::byte[]>(stack_bytes)) {}

std::expected<starter::started, launch_failure> starter::start(prepared_launch& what, memory of_child)
{
    // A sanitizer keeps records of the memory, which a child that borrows it would change.
    const bool borrows = of_child == memory::borrowed && !is_sanitized;
    std::array<int, 2> pipe{-1, -1};
    if (!borrows && ::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) return std::unexpected(failed_at(step::process));
    io::descriptor report(pipe[0]);
    const io::descriptor to_us(pipe[1]);
    task t{.what = &what, .parent = ::getpid(), .report = to_us.number()};
    int pidfd = -1;
    const int flags = CLONE_PIDFD | SIGCHLD | (borrows ? CLONE_VM | CLONE_VFORK : 0);
    const pid_t pid = ::clone(carry_out, stack_.get() + stack_bytes, flags, &t, &pidfd);
    if (pid < 0) return std::unexpected(failed_at(step::process));
    started s{.pid = pid, .pidfd = io::descriptor(pidfd), .report = std::move(report)};
    if (t.failed.at == step::none) return s;
    ::waitpid(pid, nullptr, 0);
    return std::unexpected(t.failed);
}

bool is_on_local_file_system(const std::string& path)
{
    constexpr unsigned long of_xfs = 0x58465342;
    constexpr unsigned long of_zfs = 0x2fc12fc1;
    constexpr std::array<unsigned long, 11> local{
        EXT4_SUPER_MAGIC, of_xfs,      BTRFS_SUPER_MAGIC, TMPFS_MAGIC,          OVERLAYFS_SUPER_MAGIC, of_zfs,
        F2FS_SUPER_MAGIC, RAMFS_MAGIC, SQUASHFS_MAGIC,    EROFS_SUPER_MAGIC_V1, ISOFS_SUPER_MAGIC};
    struct statfs what{};
    return ::statfs(path.c_str(), &what) == 0 &&
           std::ranges::find(local, static_cast<unsigned long>(what.f_type)) != local.end();
}

}  // namespace server
