// SPDX-License-Identifier: MIT
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "http/content_coding.hpp"

namespace server {

/// Compresses `text` with this coding. The levels favour size: it is done once, away from the hot path, and the result
/// is cached. The same text always gives the same bytes. The error is a sentence; identity never fails.
[[nodiscard]] std::expected<std::string, std::string> compress(http::coding c, std::string_view text);

}  // namespace server
