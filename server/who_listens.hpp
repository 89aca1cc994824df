// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace server {

/// The program that listens on this TCP port, as "nginx (process 123)"; nothing if none does or it may not be seen
/// (another user's).
[[nodiscard]] std::optional<std::string> who_listens(std::uint16_t port);

}  // namespace server
