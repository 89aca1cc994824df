// SPDX-License-Identifier: MIT
#include "io/socket_file.hpp"

#include <cstdio>
#include <sys/stat.h>
#include <unistd.h>

namespace io {

socket_identity socket_identity::at(const std::string& path)
{
    struct stat there{};
    if (::lstat(path.c_str(), &there) != 0 || !S_ISSOCK(there.st_mode)) return {};
    return {there.st_dev, there.st_ino};
}

void remove_socket(const std::string& path, const socket_identity& which)
{
    if (which && socket_identity::at(path) == which) ::unlink(path.c_str());
}

void socket_file::remove()
{
    remove_socket(path_, which_);
    which_ = {};
}

bool socket_file::move_to(const std::string& path)
{
    if (::rename(path_.c_str(), path.c_str()) != 0) return false;
    path_ = path;
    return true;
}

}  // namespace io
