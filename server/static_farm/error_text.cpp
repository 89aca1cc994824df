// SPDX-License-Identifier: MIT
#include "server/static_farm/error_text.hpp"

#include <fmt/format.h>

#include "server/respond/escape.hpp"
#include "server/static_farm/built_in_style.hpp"

namespace server {
namespace {

/// Draws a network in which a channel leads to a missing process.
constexpr std::string_view picture = R"(<svg viewBox="0 0 400 50" aria-hidden="true">
<path class="way" d="M72 25H146M218 25H266"/><path class="missing" d="M288 25H328"/>
<rect class="box" x="1" y="7" width="70" height="36" rx="4"/><rect class="box" x="147" y="7" width="70" height="36" rx="4"/>
<rect class="missing" x="329" y="7" width="70" height="36" rx="4"/><circle class="dot" cx="273" cy="25" r="6"/>
</svg>
)";

/// An unregistered code has no reason phrase (a CGI script may send one).
std::string_view phrase_of(http::status code)
{
    const std::string_view phrase = http::reason_phrase(code);
    return phrase.empty() ? "Error" : phrase;
}

}  // namespace

std::string error_html(http::status code, std::string_view message, std::string_view id)
{
    const auto number = http::number(code);
    const std::string phrase = html_escaped(phrase_of(code));
    std::string page = fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"robots\" content=\"noindex\">\n<title>{} {}</title>\n{}<style>",
        number, phrase, built_in_icon);
    page.append(style_of_errors.sheet).append("</style>\n</head>\n<body>\n<main>\n").append(picture);
    page += fmt::format("<p class=\"code\">{}</p>\n<h1>{}</h1>\n", number, phrase);
    if (!message.empty()) page += fmt::format("<p class=\"lead\">{}</p>\n", html_escaped(message));
    if (!id.empty()) page += fmt::format("<p class=\"id\">Request ID <code>{}</code></p>\n", html_escaped(id));
    page +=
        "<p><a href=\"/\">Go to the home page</a></p>\n</main>\n<footer><p>occwserv</p></footer>\n</body>\n</html>\n";
    return page;
}

std::string error_plain(http::status code, std::string_view message, std::string_view id)
{
    std::string text = fmt::format("{} {}\n", http::number(code), phrase_of(code));
    if (!message.empty()) text += fmt::format("{}\n", message);
    if (!id.empty()) text += fmt::format("Request {}\n", id);
    return text;
}

std::string error_json(http::status code, std::string_view message, std::string_view id)
{
    return fmt::format("{{\"status\":{},\"error\":{},\"message\":{},\"request_id\":{}}}\n", http::number(code),
                       json_quoted(phrase_of(code)), json_quoted(message), json_quoted(id));
}

}  // namespace server
