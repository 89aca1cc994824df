// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

namespace server {

/// Whether only root decides which file `path` is: every directory on the way there, through symbolic links as well,
/// belongs to root and can be written by nobody else. Then nobody can put another file or a link there between a check
/// and an open, so that root may open it by name. Root's directories in a sticky directory such as /tmp are root's own
/// too; files there are not, since anybody may make a hard link there. False if this cannot be found out.
[[nodiscard]] bool is_roots_own(const std::filesystem::path& path);

}  // namespace server
