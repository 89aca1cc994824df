// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace server {

/// The style sheet of a page that the server generates, with the colours and fonts of site/style.css. It is embedded in
/// the page, because a site may have no style sheet. The page needs no script.
struct built_in_style {
    std::string_view sheet;
    /// The Content-Security-Policy that permits only this style sheet, by its hash, and an empty icon. It replaces the
    /// policy of the site, which would usually forbid the style sheet.
    std::string_view policy;
};

extern const built_in_style style_of_errors;
extern const built_in_style style_of_listings;

/// The icon element in the head of every such page. It keeps browsers from requesting /favicon.ico.
inline constexpr std::string_view built_in_icon = "<link rel=\"icon\" href=\"data:,\">\n";

}  // namespace server
