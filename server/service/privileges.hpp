// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace server {

/// A user of the system, and the primary group to run with.
struct user_account {
    std::string name;
    uid_t user = 0;
    gid_t group = 0;
};

/// Why an account was not found.
struct no_account {
    std::string text;       // the message for the operator
    bool is_group = false;  // whether `group` is wrong, rather than `user`
};
/// Looks up a user and a group; an empty group is the user's primary group. No account if both are empty.
[[nodiscard]] std::expected<std::optional<user_account>, no_account> find_account(const std::string& user,
                                                                                  const std::string& group);

/// The account that the server must switch to, looked up by find_account(). None if no user is named, or if the process
/// runs as that user and group already. An error is a message: an unknown user or group, or the process is not root.
[[nodiscard]] std::expected<std::optional<user_account>, std::string> account_to_switch_to(const std::string& user,
                                                                                           const std::string& group);

/// An account with its groups, so that a process can switch to it without a further look-up.
struct identity {
    user_account account;
    std::vector<gid_t> groups;
};
[[nodiscard]] identity identity_of(user_account account);

/// Switches as switch_user() does, but needs no memory and looks up nothing: for a process between fork(2) and exec.
/// Returns 0 or an errno.
[[nodiscard]] int assume(const identity& who) noexcept;

/// Drops all capabilities, also those that a service manager has given to a process that is not root's. False if that
/// fails.
bool drop_capabilities() noexcept;

/// Drops root privileges for good: the process runs as this user, with this group and the user's supplementary groups,
/// without capabilities, with an empty bounding set, and with no_new_privs, so that programs that it starts cannot
/// regain privileges either. If the user is root, only the user and the groups are set. An error is a message, after
/// which the program must end, since privileges may have been dropped in part. REQUIRES: the process has one thread;
/// everything that only root may open is open.
[[nodiscard]] std::expected<void, std::string> switch_user(const user_account& account);

}  // namespace server
