// SPDX-License-Identifier: MIT
#include "server/service/roots_own.hpp"

#include <cerrno>
#include <list>
#include <sys/stat.h>
#include <system_error>

namespace server {
namespace {

namespace fs = std::filesystem;

bool is_roots_directory(const struct stat& s) { return S_ISDIR(s.st_mode) && s.st_uid == 0; }

/// The group root counts as root, as in logrotate(8).
bool only_root_writes(const struct stat& directory)
{
    const bool by_group = (directory.st_mode & S_IWGRP) != 0 && directory.st_gid != 0;
    const bool by_others = (directory.st_mode & S_IWOTH) != 0;
    return is_roots_directory(directory) && !by_group && !by_others;
}

/// Whether only root can replace this entry of a directory.
bool is_kept(const struct stat& entry, const struct stat& directory)
{
    if (only_root_writes(directory)) return true;
    return is_roots_directory(directory) && (directory.st_mode & S_ISVTX) != 0 && is_roots_directory(entry);
}

}  // namespace

// Walks from / down, so that each entry is read only after it is certain that no other user can change the path to it.
bool is_roots_own(const fs::path& path)
{
    constexpr int most_links = 40;
    std::error_code failed;
    const fs::path whole = fs::absolute(path, failed);
    if (failed) return false;
    const fs::path below = whole.relative_path();
    std::list<fs::path> names(below.begin(), below.end());
    fs::path at = "/";
    int links = 0;
    while (!names.empty()) {
        const fs::path name = names.front();
        names.pop_front();
        if (name.empty() || name == ".") continue;
        if (name == "..") {
            at = at.parent_path();
            continue;
        }
        const fs::path next = at / name;
        struct stat here{};
        struct stat there{};
        if (::lstat(at.c_str(), &here) != 0) return false;
        if (::lstat(next.c_str(), &there) != 0) return errno == ENOENT && names.empty() && only_root_writes(here);
        if (!is_kept(there, here)) return false;
        if (S_ISLNK(there.st_mode)) {
            const fs::path to = fs::read_symlink(next, failed);
            if (failed || ++links > most_links) return false;
            if (to.is_absolute()) at = "/";
            const fs::path on = to.relative_path();
            names.insert(names.begin(), on.begin(), on.end());
            continue;
        }
        at = next;
    }
    return true;
}

bool is_written_by_root_only(const fs::path& path)
{
    struct stat file{};
    if (::stat(path.c_str(), &file) != 0 || file.st_uid != 0) return false;
    const bool by_group = (file.st_mode & S_IWGRP) != 0 && file.st_gid != 0;
    const bool by_others = (file.st_mode & S_IWOTH) != 0;
    return !by_group && !by_others && is_roots_own(path);
}

}  // namespace server
