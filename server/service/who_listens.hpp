// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace server {

/// The program that listens on this TCP port, as "nginx (process 123)". Empty if there is none, or if it belongs to
/// another user and this process may not read its entries in /proc.
[[nodiscard]] std::optional<std::string> who_listens(std::uint16_t port);

}  // namespace server
