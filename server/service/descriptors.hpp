// SPDX-License-Identifier: MIT
//
// Shares the descriptors that this process may open among connections, files and the operator's commands.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>

#include "server/configuration/settings.hpp"

namespace server {

struct shared_descriptors {
    std::size_t connections = 0;  // of each core; at most as many as configured
    unsigned open_files = 0;      // that the cache of each core keeps open; at most as many as configured
    descriptors for_new_ones = descriptors::plentiful;
};

/// Distributes `most` descriptors (RLIMIT_NOFILE). It reserves those that the server always has open, some for
/// commands, a reload and an upgrade, some for files that are being sent, and some for files that the cache keeps open;
/// connections get the rest. An error, as a sentence, if nothing is left for them.
[[nodiscard]] std::expected<shared_descriptors, std::string> share_descriptors(const settings& s, std::size_t most);

/// Adapts `s` to the limit of this process. Returns a message for the operator if `limits.connections` had to be
/// reduced.
[[nodiscard]] std::expected<std::optional<std::string>, std::string> fit_to_descriptors(settings& s);

}  // namespace server
