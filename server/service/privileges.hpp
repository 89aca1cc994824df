// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <sys/types.h>

namespace server {

/// A user of the system, and the group to run with.
struct user_account {
    std::string name;
    uid_t user = 0;
    gid_t group = 0;
};

/// What there is none of.
struct no_account {
    std::string text;  // a sentence
    bool is_group = false;
};
/// The user and the group of these names; an empty group is the user's. No account if both are empty.
[[nodiscard]] std::expected<std::optional<user_account>, no_account> find_account(const std::string& user,
                                                                                  const std::string& group);

/// The account that the server must change to: this user, with this group (empty: the user's own). None if no user is
/// named, or the process runs as that user already. An error, as a sentence, when there is no such user or group.
[[nodiscard]] std::expected<std::optional<user_account>, std::string> account_to_become(const std::string& user,
                                                                                        const std::string& group);

/// Makes the process run as this user, with this group and the user's supplementary groups, for good: without
/// capabilities, with an empty bounding set, and with no_new_privs, so that no program started from here gets a right
/// back. An error, as a sentence; then the program must end. REQUIRES: no other thread runs; everything that only root
/// may open is open.
[[nodiscard]] std::expected<void, std::string> become(const user_account& whom);

}  // namespace server
