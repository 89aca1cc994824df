// SPDX-License-Identifier: MIT
#include "server/service/privileges.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include <fmt/core.h>

namespace server {
namespace {

/// Has no effect if root lacks CAP_SETPCAP, as in some containers. Then no_new_privs prevents that privileges are
/// regained.
void empty_the_bounding_set()
{
    for (unsigned capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
    }
}

/// Drops inheritable and ambient capabilities too, which survive the switch to another user.
bool drop_capabilities()
{
    __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return ::syscall(SYS_capset, &head, none.data()) == 0;
}

}  // namespace

std::expected<std::optional<user_account>, no_account> find_account(const std::string& user, const std::string& group)
{
    const auto none = [](std::string text, bool is_group) {
        return std::unexpected(no_account{.text = std::move(text), .is_group = is_group});
    };
    if (user.empty()) {
        if (group.empty()) return std::nullopt;
        return none(fmt::format("the group `{}` is set without a user: set `user` too", group), true);
    }
    const passwd* const who = ::getpwnam(user.c_str());
    if (who == nullptr) return none(fmt::format("there is no user `{}`", user), false);
    user_account found{.name = user, .user = who->pw_uid, .group = who->pw_gid};
    if (!group.empty()) {
        const ::group* const with = ::getgrnam(group.c_str());
        if (with == nullptr) return none(fmt::format("there is no group `{}`", group), true);
        found.group = with->gr_gid;
    }
    return found;
}

std::expected<std::optional<user_account>, std::string> account_to_switch_to(const std::string& user,
                                                                             const std::string& group)
{
    auto found = find_account(user, group);
    if (!found) return std::unexpected(std::move(found.error().text));
    if (!*found) return std::nullopt;
    const user_account& account = **found;
    const bool is_it_already = ::getuid() == account.user && ::geteuid() == account.user &&
                               ::getgid() == account.group && ::getegid() == account.group;
    if (is_it_already) return std::nullopt;
    if (::geteuid() != 0) return std::unexpected(fmt::format("only root can switch to the user `{}`", user));
    return std::move(*found);
}

std::expected<void, std::string> switch_user(const user_account& account)
{
    const auto refuse = [&] {
        return std::unexpected(fmt::format("cannot switch to the user `{}`: {}", account.name, std::strerror(errno)));
    };
    if (account.user != 0) empty_the_bounding_set();  // before the switch, since it needs CAP_SETPCAP
    // The groups first: only root can change them.
    if (::initgroups(account.name.c_str(), account.group) != 0 ||
        ::setresgid(account.group, account.group, account.group) != 0 ||
        ::setresuid(account.user, account.user, account.user) != 0) {
        return refuse();
    }
    if (account.user == 0) return {};
    if (!drop_capabilities() || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refuse();
    if (::setuid(0) == 0) return std::unexpected("cannot drop root privileges: the process could switch back to root");
    return {};
}

}  // namespace server
