// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

namespace server {

/// Whether only root determines which file `path` names: every directory of the path, symbolic links followed, belongs
/// to root and is writable by root only. Then no other user can replace the file by another one or a link between a
/// check and an open, so root can safely open it by name. Directories of root in a sticky directory such as /tmp count
/// too, but files there do not, since any user may create a hard link there. False if this cannot be determined.
[[nodiscard]] bool is_roots_own(const std::filesystem::path& path);

/// Whether only root determines what the file at `path` contains: it is root's own in the sense above, belongs to root,
/// and nobody else can write it. False if this cannot be determined.
[[nodiscard]] bool is_written_by_root_only(const std::filesystem::path& path);

}  // namespace server
