// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "http/weight.hpp"

namespace http {

// How well an Accept field (RFC 9110 section 12.5.1) speaks of a media type: the weight in the most specific of its
// ranges that fits, and how specific that is.
struct acceptance {
    enum class by { none, any, any_of_type, name };  // */*, text/*, text/html

    weight liked = 0;
    by range = by::none;
};

// REQUIRES: `type` is a type and a subtype without parameters. Parameters of ranges but for the weight are passed over,
// malformed elements too.
[[nodiscard]] acceptance acceptance_of(std::string_view accept, std::string_view type) noexcept;

// Whether JSON is to be sent where there is HTML too: a client asks for it if it likes application/json more than
// text/html, or as much but names only the former, as in `application/json, */*`.
[[nodiscard]] bool prefers_json(std::string_view accept) noexcept;

}  // namespace http
