// SPDX-License-Identifier: MIT
#include "server/messages/log_lines.hpp"

#include <utility>

namespace server {
log_lines error_line(std::string_view severity, std::string_view what, std::string request)
{
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    return {log_kind::error, std::string(what), std::string(severity), std::move(request), now};
}

}  // namespace server
