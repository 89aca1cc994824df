// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace server {

/// The style sheet of a page that the server makes itself: the colours and letters of site/style.css. It is sent with
/// the page, since a site may have no style sheet, and needs no script.
struct built_in_style {
    std::string_view sheet;
    /// The Content-Security-Policy that allows this style sheet, by its hash, and otherwise only an empty icon. It
    /// replaces the site's own policy, most of which would forbid the style sheet.
    std::string_view policy;
};

extern const built_in_style style_of_errors;
extern const built_in_style style_of_listings;

/// What the head of every such page has: its own icon, so that browsers do not ask for /favicon.ico.
inline constexpr std::string_view built_in_icon = "<link rel=\"icon\" href=\"data:,\">\n";

}  // namespace server
