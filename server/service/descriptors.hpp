// SPDX-License-Identifier: MIT
//
// How the descriptors that this process may have are shared out among connections, files and the operator's commands.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>

#include "server/configuration/settings.hpp"

namespace server {

struct shared_descriptors {
    std::size_t connections = 0;  // of each core: as many as configured, or fewer
    unsigned open_files = 0;      // that the cache of each core keeps: the same
    descriptors for_new_ones = descriptors::plentiful;
};

/// Shares out `most` descriptors (RLIMIT_NOFILE). Kept back are those that the server always has, some for the
/// operator's commands, a reload and an upgrade, some for files that are being sent, and some for files that the cache
/// keeps open; the rest is for connections. An error, as a sentence, if there is no rest.
[[nodiscard]] std::expected<shared_descriptors, std::string> share_descriptors(const settings& s, std::size_t most);

/// Fits `s` to the limit in force. Yields a message for the operator, if there is something to report.
[[nodiscard]] std::expected<std::optional<std::string>, std::string> fit_to_descriptors(settings& s);

}  // namespace server
