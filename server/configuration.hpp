// SPDX-License-Identifier: MIT
//
// The configuration file: TOML, each key named as in docs/CONFIGURATION.md. What is wrong is told all at once.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "server/settings.hpp"

namespace server {

/// One thing wrong, ready to show: "occwserv.toml:7:1: `listne` is not known here; did you mean `listen`?"
using complaint = std::string;

/// Reads `text` on top of `base`; `file_name` is for the complaints only.
[[nodiscard]] std::expected<settings, std::vector<complaint>> read_configuration(std::string_view text,
                                                                                 std::string_view file_name,
                                                                                 settings base);

/// The same from a file; that it cannot be read is a complaint too.
[[nodiscard]] std::expected<settings, std::vector<complaint>> load_configuration(const std::string& file_name,
                                                                                 settings base);

/// Whether the last of these addresses is listed twice, which is superfluous; or whether it and another one overlap, so
/// that the server cannot listen on both. `text` says so.
struct listed_before {
    enum class how : std::uint8_t { not_at_all, same, part } is = how::not_at_all;
    std::string text{};
};
[[nodiscard]] listed_before how_listed(const std::vector<std::string>& all);

}  // namespace server
