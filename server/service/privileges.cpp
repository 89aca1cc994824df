// SPDX-License-Identifier: MIT
#include "server/service/privileges.hpp"

#include <cerrno>
#include <cstring>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <fmt/core.h>

namespace server {

std::expected<void, std::string> become(const std::string& user, const std::string& group)
{
    if (user.empty()) {
        if (group.empty()) return {};
        return std::unexpected(fmt::format("the group `{}` needs a user to go with it", group));
    }
    errno = 0;
    const passwd* const who = ::getpwnam(user.c_str());
    if (who == nullptr) return std::unexpected(fmt::format("there is no user `{}`", user));
    const uid_t uid = who->pw_uid;
    gid_t gid = who->pw_gid;
    if (!group.empty()) {
        const ::group* const with = ::getgrnam(group.c_str());
        if (with == nullptr) return std::unexpected(fmt::format("there is no group `{}`", group));
        gid = with->gr_gid;
    }
    if (::getuid() == uid && ::geteuid() == uid && ::getgid() == gid && ::getegid() == gid) return {};
    if (::geteuid() != 0) return std::unexpected(fmt::format("only root can go on as the user `{}`", user));
    // In this order: who is root no more cannot change the groups.
    if (::initgroups(user.c_str(), gid) != 0 || ::setresgid(gid, gid, gid) != 0 || ::setresuid(uid, uid, uid) != 0) {
        return std::unexpected(fmt::format("cannot go on as the user `{}`: {}", user, std::strerror(errno)));
    }
    if (uid != 0 && ::setuid(0) == 0) return std::unexpected("root's rights came back after they had been given up");
    return {};
}

}  // namespace server
