// SPDX-License-Identifier: MIT
//
// Reads the configuration file, which is TOML. docs/CONFIGURATION.md describes the keys. A file with mistakes yields
// all of them, not only the first.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "server/configuration/settings.hpp"

namespace server {

/// The message about one mistake: "occwserv.toml:7:1: unknown key `listne`; did you mean `listen`?"
using complaint = std::string;

/// Reads `text`. A key that it does not set keeps the value of `base`. `file_name` is used in messages only.
[[nodiscard]] std::expected<settings, std::vector<complaint>> read_configuration(std::string_view text,
                                                                                 std::string_view file_name,
                                                                                 settings base);

/// Reads a file likewise. If it cannot be read, that is the only complaint.
[[nodiscard]] std::expected<settings, std::vector<complaint>> load_configuration(const std::string& file_name,
                                                                                 settings base);

/// Makes the paths in all cgi_rules absolute, and names the directory of programs where the file does not: the one that
/// the path of the route names beneath the root of the site. Call it when the roots are final.
void settle_programs(settings& s);

/// How an address relates to the addresses listed before it. A duplicate is superfluous. Of two addresses where one
/// includes the other, such as :80 and 127.0.0.1:80, the server cannot listen on both.
struct address_overlap {
    enum class kind : std::uint8_t { none, duplicate, included } is = kind::none;
    std::string text{};  // the message for the operator; empty if there is no overlap
};
/// The overlap of the last of these addresses with the others.
[[nodiscard]] address_overlap overlap_of_last(const std::vector<std::string>& all);

}  // namespace server
