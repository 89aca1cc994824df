// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "http/weight.hpp"

namespace http {

/// What an Accept field (RFC 9110 section 12.5.1) says of one media type: the weight of the most specific media range
/// that matches it, and how specific that range is.
struct acceptance {
    enum class by { none, any, any_of_type, name };  // */*, text/*, text/html

    weight quality = 0;
    by range = by::none;

    /// Whether the field accepts the type by name or by `type/*`, not only by `*/*`.
    [[nodiscard]] bool is_named() const noexcept { return quality > 0 && range >= by::any_of_type; }
};

/// REQUIRES: `type` is a type and a subtype, without parameters. Malformed elements are ignored, and so are all
/// parameters of a range except its weight.
[[nodiscard]] acceptance acceptance_of(std::string_view accept, std::string_view type) noexcept;

/// Whether to send JSON where HTML is available too. True if the client gives application/json more weight than
/// text/html, or the same weight but a more specific range, as in `application/json, */*`.
[[nodiscard]] bool prefers_json(std::string_view accept) noexcept;

}  // namespace http
