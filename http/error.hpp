// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "http/status.hpp"

namespace http {

/// The reason why a message was refused. `text` is a static sentence that names the broken rule or limit. It appears on
/// the error page and in the log, so it never quotes the client.
struct [[nodiscard]] error {
    status code = status::bad_request;
    std::string_view text;

    friend bool operator==(const error&, const error&) = default;
};

}  // namespace http
