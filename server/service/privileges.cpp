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

// Inheritable and ambient capabilities too, which survive the switch to another user.
bool drop_capabilities() noexcept
{
    __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return ::syscall(SYS_capset, &head, none.data()) == 0;
}

identity identity_of(user_account account)
{
    int count = 32;
    std::vector<gid_t> groups;
    do groups.resize(static_cast<std::size_t>(count));
    while (::getgrouplist(account.name.c_str(), account.group, groups.data(), &count) < 0);
    groups.resize(static_cast<std::size_t>(count));
    return {.account = std::move(account), .groups = std::move(groups)};
}

int assume(const identity& who) noexcept
{
    const auto& [name, user, group] = who.account;
    if (user != 0) empty_the_bounding_set();  // before the switch, since it needs CAP_SETPCAP
    // The groups first: only root can change them.
    if (::setgroups(who.groups.size(), who.groups.data()) != 0 || ::setresgid(group, group, group) != 0 ||
        ::setresuid(user, user, user) != 0) {
        return errno;
    }
    if (user == 0) return 0;
    if (!drop_capabilities() || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return ::setuid(0) == 0 ? ENOTRECOVERABLE : 0;  // it could switch back to root
}

std::expected<void, std::string> switch_user(const user_account& account)
{
    const int failed = assume(identity_of(account));
    if (failed == 0) return {};
    return std::unexpected(fmt::format("cannot switch to the user `{}`: {}", account.name, std::strerror(failed)));
}

}  // namespace server
