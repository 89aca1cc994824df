// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "http/content_coding.hpp"

namespace server {

/// `text` in that coding: as small as can be had in a time fit for something that is done once, away from the hot
/// path, and then kept. The same text always yields the same bytes. The error is a sentence; identity has none.
[[nodiscard]] std::expected<std::string, std::string> compress(http::coding c, std::string_view text);

}  // namespace server
