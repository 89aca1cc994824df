// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "http/status.hpp"

namespace http {

// Why a message was refused. `text` is a static sentence which names the rule or the limit that was broken; it
// goes to the error page and to the log, so it never quotes the client.
struct [[nodiscard]] error {
    status code = status::bad_request;
    std::string_view text;

    friend bool operator==(const error&, const error&) = default;
};

}  // namespace http
