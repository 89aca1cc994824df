// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <string>

namespace server {

/// Goes on as this user, with this group (empty: the user's) and the user's supplementary groups, for good. Nothing
/// happens when that is who we are already. An error, as a sentence: the program must not go on then.
/// REQUIRES: no other thread runs; everything that only root may open is open.
[[nodiscard]] std::expected<void, std::string> become(const std::string& user, const std::string& group);

}  // namespace server
