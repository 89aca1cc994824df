// SPDX-License-Identifier: MIT
//
// What a shell offers when somebody types `occwserv ` and then the Tab key.
#pragma once

#include <string>

#include "server/cli11.hpp"

namespace server {

[[nodiscard]] std::string bash_completion(const CLI::App& app);
[[nodiscard]] std::string zsh_completion(const CLI::App& app);
[[nodiscard]] std::string fish_completion(const CLI::App& app);

}  // namespace server
